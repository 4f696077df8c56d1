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

  /// The variables' common beginning: `-` becomes `_`, upper case
  /// (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
  var prefix: String { name.replacing("-", with: "_").uppercased() }

  /// Writes the local address where the service's own variables carry the cluster's. A variable of the same name that
  /// holds anything else is the app's own and stays.
  func localize(_ variables: inout EnvironmentVariables) {
    guard name != "kubernetes" else { return }
    let host = Array((prefix + "_SERVICE_HOST").utf8)
    let port = Array((prefix + "_PORT").utf8)
    for var variable in variables where variable.name.bytes == host || variable.name.bytes.starts(with: port) {
      let text = variable.value.description
      if text == clusterIP {
        variable.value = RawString(local)
      } else if let range = text.firstRange(of: "://\(clusterIP):") {
        variable.value = RawString(text.replacingCharacters(in: range, with: "://\(local):"))
      }
      variables.set(variable)
    }
  }
}

extension String {
  fileprivate func replacingCharacters(in range: Range<Index>, with replacement: String) -> String {
    self[..<range.lowerBound] + replacement + self[range.upperBound...]
  }
}
