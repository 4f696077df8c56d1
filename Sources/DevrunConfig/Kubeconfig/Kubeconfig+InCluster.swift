internal import DevrunSystem

extension Kubeconfig {
  /// The access of a pod's service account; `nil` if this is no pod (client-go's `rest.InClusterConfig`).
  static func inClusterAccess(_ locations: Locations, namespace: String?) throws -> ClusterAccess? {
    func contents(_ name: String) throws -> String? {
      let path = ConfigPath.resolve(name, in: locations.serviceAccountDirectory)
      do {
        return String(decoding: try BoundedFile.read(path), as: UTF8.self)
      } catch {
        if error.isMissing { return nil }
        throw KubeconfigError.unreadable(path: path, referrer: nil, reason: error.description)
      }
    }
    guard let host = locations.environment["KUBERNETES_SERVICE_HOST"], !host.isEmpty,
      let port = locations.environment["KUBERNETES_SERVICE_PORT"], !port.isEmpty,
      let token = try contents("token")
    else { return nil }
    let podNamespace = locations.environment["POD_NAMESPACE"] ?? ""
    let accountNamespace = try contents("namespace") ?? ""
    let namespaces = [namespace ?? "", podNamespace, accountNamespace.trimmed, "default"]
    return ClusterAccess(
      server: "https://\(host.contains(":") ? "[\(host)]" : host):\(port)",
      certificateAuthority: try contents("ca.crt").map { Array($0.utf8) },
      namespace: namespaces.first { !$0.isEmpty } ?? "default",
      contextName: "in-cluster",
      credentials: Credentials(
        authorization: .tokenFile(
          path: ConfigPath.resolve("token", in: locations.serviceAccountDirectory), fallback: token.trimmed)))
  }
}

extension String {
  /// The text without the white space around it.
  fileprivate var trimmed: String {
    let start = drop { $0.isWhitespace }
    return String(start.reversed().drop { $0.isWhitespace }.reversed())
  }
}
