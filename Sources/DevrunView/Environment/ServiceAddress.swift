internal import DevrunCore
internal import DevrunSystem

/// A service as the child's environment knows it.
struct ServiceAddress: Hashable, Sendable {
  /// The service's name.
  var name: String
  /// Its address in the cluster.
  var clusterIP: String
  /// Its address here.
  var local: String
}

/// The addresses of the services of a namespace, by the beginnings of their variables' names.
struct ServiceAddresses: Sendable {
  private let addresses: [[UInt8]: ServiceAddress]

  /// The addresses of the given services. The API server keeps its own: the agent's pod and this machine reach the same.
  init(_ services: [ServiceAddress]) {
    addresses = Dictionary(
      services.filter { $0.name != "kubernetes" }.map { (ServiceVariable.prefix(of: $0.name), $0) },
      uniquingKeysWith: { first, _ in first })
  }

  /// The variable with the local address, if it is a service's own and carries the cluster's address; `nil` for any
  /// other, which is the app's own and stays.
  func localized(_ variable: EnvironmentVariables.Variable) -> EnvironmentVariables.Variable? {
    for cut in ServiceVariable.cuts(of: variable.name.bytes) {
      let end = variable.name.bytes[cut...]
      guard end.starts(with: ServiceVariable.port) || end.elementsEqual(ServiceVariable.host),
        let service = addresses[Array(variable.name.bytes[..<cut])],
        let value = service.localized(variable.value.description)
      else { continue }
      var variable = variable
      variable.value = RawString(value)
      return variable
    }
    return nil
  }
}

extension ServiceAddress {
  /// A value with the local address in place of the cluster's; `nil` if the value does not carry that.
  fileprivate func localized(_ text: String) -> String? {
    if text == clusterIP { return local }
    guard let range = text.firstRange(of: "://\(clusterIP):") else { return nil }
    return text[..<range.lowerBound] + "://\(local):" + text[range.upperBound...]
  }
}
