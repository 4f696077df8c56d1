internal import DevrunCore
internal import DevrunYAML

extension Kubeconfig {
  /// The access to the cluster that kubectl would reach: by the kubeconfig files; or as the pod's service account, if
  /// there are no files and this process runs in a pod.
  ///
  /// - Parameters:
  ///   - locations: where the configuration is.
  ///   - context: the context to use; by default the files' current one.
  ///   - namespace: the namespace to use; by default the context's.
  /// - Throws: `KubeconfigError` or `YAMLError`.
  public static func access(
    from locations: Locations, context: String? = nil, namespace: String? = nil
  ) throws -> ClusterAccess {
    let kubeconfig = try load(from: locations)
    if kubeconfig.isEmpty, context?.isEmpty ?? true, locations.file == nil {
      guard var access = try inClusterAccess(locations, namespace: namespace) else {
        throw KubeconfigError.noConfiguration(looked: locations.files)
      }
      access.source = AccessSource(
        locations: locations, context: nil, namespace: access.namespace,
        files: [ConfigPath.resolve("ca.crt", in: locations.serviceAccountDirectory)])
      return access
    }
    var access = try kubeconfig.access(context: context, namespace: namespace)
    access.source = AccessSource(
      locations: locations, context: access.contextName, namespace: access.namespace,
      files: try kubeconfig.files(ofContext: access.contextName))
    return access
  }

  /// The access of a context: its cluster, its user and its namespace, with their files read.
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
    var access = ClusterAccess(
      server: Self.withScheme(
        server, secured: authority != nil || skipsVerification || credentials.clientCertificate != nil),
      tlsServerName: described.tlsServerName, insecureSkipTLSVerify: skipsVerification,
      certificateAuthority: authority, proxyURL: described.proxyURL,
      disableCompression: described.disableCompression,
      namespace: chosen, otherNamespaces: namespaces(beside: chosen, of: cluster),
      contextName: definition.name, credentials: credentials, impersonate: try user?.impersonation())
    access.warnings = warnings
    return access
  }

  /// The files of certificates and keys that a context's cluster and user name.
  private func files(ofContext name: String) throws -> [String] {
    let definition = try self.context(named: name)
    let user = try user(of: definition)
    return [
      try cluster(of: definition).pemFile("certificate-authority", inline: "certificate-authority-data"),
      try user?.pemFile("client-certificate", inline: "client-certificate-data"),
      try user?.pemFile("client-key", inline: "client-key-data"),
    ].compactMap { $0 }
  }

  /// The namespaces that contexts of a cluster name, except one. A context that cannot be read is skipped: its mistake
  /// matters only if it is used.
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
