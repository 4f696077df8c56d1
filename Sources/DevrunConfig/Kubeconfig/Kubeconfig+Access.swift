internal import DevrunCore
internal import DevrunSystem
internal import DevrunYAML

extension ClusterAccess {
  /// How to reach the cluster that kubectl would reach: by the kubeconfig files, or where there are none and this
  /// process runs in a pod, as the pod's service account.
  ///
  /// - Parameters:
  ///   - locations: where the configuration is.
  ///   - context: the context to use; by default the files' current one.
  ///   - namespace: the namespace to use; by default the context's.
  /// - Throws: `KubeconfigError` or `YAMLError`.
  public static func resolve(
    from locations: Kubeconfig.Locations, context: String? = nil, namespace: String? = nil
  ) throws -> ClusterAccess {
    let kubeconfig = try Kubeconfig.load(from: locations)
    if kubeconfig.isEmpty, context?.isEmpty ?? true, locations.file == nil {
      guard let access = try inCluster(locations, namespace: namespace) else {
        throw KubeconfigError.noConfiguration(looked: locations.files)
      }
      return access
    }
    return try kubeconfig.access(context: context, namespace: namespace)
  }

  /// The access of a pod's service account; `nil` where this is no pod (client-go's `rest.InClusterConfig`).
  private static func inCluster(_ locations: Kubeconfig.Locations, namespace: String?) throws -> ClusterAccess? {
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

extension Kubeconfig {
  /// What a context comes to: its cluster, its user and its namespace, files read.
  ///
  /// - Parameters:
  ///   - context: the context's name; by default the files' current one.
  ///   - namespace: the namespace to use; by default the context's, or `default`.
  /// - Throws: `KubeconfigError` or `YAMLError`.
  public func access(context: String? = nil, namespace: String? = nil) throws -> ClusterAccess {
    let definition = try self.context(named: context)
    let cluster = try cluster(of: definition)
    let user = try user(of: definition)
    let server = try cluster.server()
    let authority = try cluster.pem("certificate-authority", inline: "certificate-authority-data")
    let skipsVerification = try cluster.field.member("insecure-skip-tls-verify")?.bool() ?? false
    if skipsVerification, authority != nil {
      throw cluster.field.error(
        "has both a certificate-authority and insecure-skip-tls-verify, which exclude each other",
        remedy: "remove one of them")
    }
    let described = ExecCredentialPlugin.Cluster(
      server: server, tlsServerName: try cluster.text("tls-server-name"), insecureSkipTLSVerify: skipsVerification,
      certificateAuthority: authority, proxyURL: try cluster.proxyURL(),
      disableCompression: try cluster.field.member("disable-compression")?.bool() ?? false,
      config: try cluster.execExtension())
    let credentials = try user?.credentials(cluster: described) ?? Credentials()
    let contextNamespace = try definition.text("namespace")
    let chosen = [namespace, contextNamespace].compactMap { $0 }.first { !$0.isEmpty } ?? "default"
    return ClusterAccess(
      server: Self.withScheme(
        server, secured: authority != nil || skipsVerification || credentials.clientCertificate != nil),
      tlsServerName: described.tlsServerName, insecureSkipTLSVerify: skipsVerification,
      certificateAuthority: authority, proxyURL: described.proxyURL,
      disableCompression: described.disableCompression,
      namespace: chosen, otherNamespaces: namespaces(beside: chosen, of: cluster),
      contextName: definition.name, credentials: credentials, impersonate: try user?.impersonation())
  }

  /// The namespaces but one that contexts of a cluster name. A context that cannot be read matters only to who uses it.
  private func namespaces(beside chosen: String, of cluster: Definition) -> [String] {
    let named = contexts.compactMap { context -> String? in
      guard (try? context.text("cluster")) == cluster.name else { return nil }
      return try? context.text("namespace")
    }
    return Set(named).subtracting([chosen]).sorted()
  }

  private func context(named name: String?) throws -> Definition {
    let wanted: String
    if let name, !name.isEmpty {
      wanted = name
    } else if let current = try currentContext?.string() {
      wanted = current
    } else {
      throw KubeconfigError.noCurrentContext(files: files, available: contextNames)
    }
    guard let definition = contexts.first(where: { $0.name == wanted }) else {
      let setBy = name?.isEmpty ?? true ? currentContext?.position.description : nil
      throw KubeconfigError.contextNotFound(name: wanted, setBy: setBy, files: files, available: contextNames)
    }
    return definition
  }

  private func cluster(of context: Definition) throws -> Definition {
    let field = try context.field.required("cluster")
    let name = try field.string()
    guard let cluster = clusters.first(where: { $0.name == name }) else {
      throw KubeconfigError.clusterNotFound(
        name: name, context: context.name, place: field.position.description, available: clusters.map(\.name))
    }
    return cluster
  }

  /// A context without a user is one of an anonymous user.
  private func user(of context: Definition) throws -> Definition? {
    guard let field = try context.field.member("user") else { return nil }
    let name = try field.string()
    if name.isEmpty { return nil }
    guard let user = users.first(where: { $0.name == name }) else {
      throw KubeconfigError.userNotFound(
        name: name, context: context.name, place: field.position.description, available: users.map(\.name))
    }
    return user
  }

  /// The URL of a server that may be a mere host and port; kubectl then takes https where something of TLS is
  /// configured.
  private static func withScheme(_ server: String, secured: Bool) -> String {
    server.contains("://") ? server : (secured ? "https://" : "http://") + server
  }
}

extension Kubeconfig.Definition {
  /// The text of a member; `nil` where it is absent or empty.
  func text(_ name: String) throws -> String? {
    guard let text = try field.member(name)?.string(), !text.isEmpty else { return nil }
    return text
  }

  /// The PEM text that a member holds in base64, or else that of the file which another member names. kubectl gives the
  /// inline form precedence.
  func pem(_ fileName: String, inline: String) throws -> [UInt8]? {
    if let field = try field.member(inline), let text = try self.text(inline) {
      guard let bytes = Base64.decode(text) else { throw field.error("is not valid base64") }
      guard Self.isPEM(bytes) else {
        throw field.error("holds no PEM text", remedy: "it must be the base64 form of a text with '-----BEGIN'")
      }
      return bytes
    }
    guard let field = try field.member(fileName), let path = try self.text(fileName) else { return nil }
    let bytes = try read(path, namedBy: field)
    guard Self.isPEM(bytes) else { throw field.error("names \(path), which holds no PEM text") }
    return bytes
  }

  /// A file that a member names.
  func read(_ path: String, namedBy field: YAMLField) throws -> [UInt8] {
    let path = ConfigPath.resolve(path, in: directory)
    do {
      return try BoundedFile.read(path)
    } catch {
      throw KubeconfigError.unreadable(path: path, referrer: field.position.description, reason: error.description)
    }
  }

  private static func isPEM(_ bytes: [UInt8]) -> Bool { bytes.firstRange(of: "-----BEGIN ".utf8) != nil }

  /// The cluster's URL as written, without slashes at its end.
  fileprivate func server() throws -> String {
    let field = try field.required("server")
    var server = try field.string()
    while server.hasSuffix("/") { server.removeLast() }
    let scheme = server.firstRange(of: "://").map { server[..<$0.lowerBound].lowercased() }
    guard !server.isEmpty, scheme == nil || scheme == "https" || scheme == "http" else {
      throw field.error("must be a URL of http or https, but is '\(try field.string())'")
    }
    return server
  }

  fileprivate func proxyURL() throws -> String? {
    guard let field = try field.member("proxy-url"), let proxy = try text("proxy-url") else { return nil }
    guard ["http://", "https://", "socks5://"].contains(where: { proxy.lowercased().hasPrefix($0) }) else {
      // The text is not repeated: it may hold a password.
      throw field.error("must be a URL of http, https or socks5")
    }
    return proxy
  }

  /// What the cluster has to tell credential plugins (KEP-541).
  fileprivate func execExtension() throws -> JSONValue? {
    let extensions = try field.member("extensions")?.elements() ?? []
    return try extensions.first { try $0.member("name")?.string() == "client.authentication.k8s.io/exec" }?
      .member("extension")?.node.json
  }
}

extension String {
  /// The text without the white space around it.
  var trimmed: String {
    let start = drop { $0.isWhitespace }
    return String(start.reversed().drop { $0.isWhitespace }.reversed())
  }
}
