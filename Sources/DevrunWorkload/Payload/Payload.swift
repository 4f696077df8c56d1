internal import DevrunCore
internal import Foundation

/// The agent as `make build` leaves it beside the binary: the loader, and the gzipped agent cut into pieces that fit in
/// a ConfigMap each.
package struct Payload: Sendable {
  /// The static loader.
  var loader: [UInt8]
  /// The pieces' file names and bytes, in order.
  var pieces: [(name: String, bytes: [UInt8])]
  /// The architecture they are for, as the node label `kubernetes.io/arch` names it.
  var architecture: String
}

extension Payload {
  /// Reads the payload of a folder.
  ///
  /// - Throws: `WorkloadError.payloadMissing`
  package init(directory: String) throws {
    func read(_ name: String) throws -> [UInt8] {
      do {
        return Array(try Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(name)")))
      } catch let error as CocoaError {
        throw WorkloadError.payloadMissing("\(directory)/\(name)", cause: error.localizedDescription)
      }
    }
    loader = try read("loader")
    architecture = String(decoding: try read("architecture"), as: UTF8.self)
      .trimmingCharacters(in: .whitespacesAndNewlines)
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasPrefix("agent.gz.") }
    } catch let error as CocoaError {
      throw WorkloadError.payloadMissing(directory, cause: error.localizedDescription)
    }
    guard !names.isEmpty else { throw WorkloadError.payloadMissing(directory, cause: "it holds no piece of the agent") }
    pieces = try names.sorted().map { ($0, try read($0)) }
  }

  /// Where the payload lies.
  ///
  /// - Throws: `WorkloadError.payloadMissing`
  package static func directory() throws -> String {
    guard let loader = Installation.path(of: "loader") else {
      throw WorkloadError.payloadMissing(
        Installation.folders[0], cause: "nor is it in \(Installation.folders.dropFirst().joined(separator: ", "))")
    }
    return String(loader.dropLast("/loader".count))
  }
}
