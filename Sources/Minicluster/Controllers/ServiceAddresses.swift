// The addresses of services (`spec.clusterIP`), which are given when a service is made.

internal import DevrunCore
internal import DevrunKube
internal import Synchronization

/// Gives services their addresses, out of 10.98.0.0/16.
package final class ServiceAddresses: Sendable {
  private static let prefix = "10.98."
  private static let range = "10.98.0.0/16"
  /// The first ones are for services that ask for a certain address.
  private static let first = 256
  private static let last = 65_534

  private let next = Mutex(first)

  /// No address is given yet.
  package init() {}

  private static func text(_ number: Int) -> String { "\(prefix)\(number >> 8).\(number & 255)" }

  private static func isValid(_ address: String) -> Bool {
    let parts = address.dropFirst(prefix.count).split(separator: ".", omittingEmptySubsequences: false)
    guard address.hasPrefix(prefix), parts.count == 2, let high = UInt8(parts[0]), let low = UInt8(parts[1]) else {
      return false
    }
    let number = Int(high) << 8 + Int(low)
    return (1...last).contains(number) && text(number) == address
  }

  /// Gives a new service its address, unless it wants none.
  ///
  /// - Parameter taken: the addresses that other services have.
  /// - Throws: 422 if the service asks for an address that it cannot have, or there is none left.
  func admit(_ service: inout KubeObject, taken: Set<String>) throws(APIFailure) {
    guard service.spec["type"]?.string != "ExternalName" else { return }
    var address = service.spec["clusterIP"]?.string ?? ""
    if address.isEmpty { address = service.spec["clusterIPs"]?.array?.first?.string ?? "" }
    if address.isEmpty {
      address = try free(taken, for: service)
    } else if address != "None" {
      guard Self.isValid(address) else {
        throw Self.refusal(
          service,
          "spec.clusterIPs: Invalid value: [\"\(address)\"]: failed to allocate IP \(address): "
            + "the provided IP (\(address)) is not in the valid range. The range of valid IPs is \(Self.range)")
      }
      guard !taken.contains(address) else {
        throw Self.refusal(
          service,
          "spec.clusterIPs: Invalid value: [\"\(address)\"]: failed to allocate IP \(address): "
            + "provided IP is already allocated")
      }
    }
    service.spec["clusterIP"] = .string(address)
    service.spec["clusterIPs"] = [.string(address)]
    service.spec["ipFamilies"] = ["IPv4"]
    service.spec["ipFamilyPolicy"] = "SingleStack"
    service.spec["internalTrafficPolicy"] = service.spec["internalTrafficPolicy"] ?? "Cluster"
  }

  /// The next address that nobody has. Two services that are made at the same moment get different ones.
  private func free(_ taken: Set<String>, for service: KubeObject) throws(APIFailure) -> String {
    let address = next.withLock { next -> String? in
      for _ in Self.first...Self.last {
        let address = Self.text(next)
        next = next == Self.last ? Self.first : next + 1
        if !taken.contains(address) { return address }
      }
      return nil
    }
    guard let address else {
      throw Self.refusal(service, "spec.clusterIPs: Invalid value: []: failed to allocate a serviceIP: range is full")
    }
    return address
  }

  private static func refusal(_ service: KubeObject, _ problem: String) -> APIFailure {
    let parts = problem.split(separator: ": ", maxSplits: 1).map(String.init)
    return APIFailure(
      APIStatus(
        code: 422, reason: "Invalid", message: "Service \"\(service.name)\" is invalid: \(problem)",
        causes: [APIStatus.Cause(reason: "FieldValueInvalid", message: parts.last ?? problem, field: parts[0])],
        details: APIStatus.Details(name: service.name, kind: "Service")))
  }
}
