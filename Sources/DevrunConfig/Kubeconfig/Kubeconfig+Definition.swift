internal import DevrunCore
internal import DevrunSystem
internal import DevrunYAML

extension Kubeconfig.Definition {
  /// The text of a member; `nil` if it is absent or empty.
  func text(_ name: String) throws -> String? {
    guard let text = try field.member(name)?.string(), !text.isEmpty else { return nil }
    return text
  }

  /// The PEM text that one member holds in base64, or else the PEM text of the file that another member names. As in
  /// kubectl, the inline form has precedence.
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

  /// The absolute path of the file that a PEM text comes from; `nil` if it does not come from a file.
  func pemFile(_ fileName: String, inline: String) throws -> String? {
    guard try text(inline) == nil else { return nil }
    return try text(fileName).map { ConfigPath.resolve($0, in: directory) }
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
  func server() throws -> String {
    let field = try field.required("server")
    var server = try field.string()
    while server.hasSuffix("/") { server.removeLast() }
    let scheme = server.firstRange(of: "://").map { server[..<$0.lowerBound].lowercased() }
    guard !server.isEmpty, scheme == nil || scheme == "https" || scheme == "http" else {
      // The text is not repeated: it may hold a password.
      throw field.error("must be a URL of http or https")
    }
    return server
  }

  func proxyURL() throws -> String? {
    guard let field = try field.member("proxy-url"), let proxy = try text("proxy-url") else { return nil }
    guard ["http://", "https://", "socks5://"].contains(where: { proxy.lowercased().hasPrefix($0) }) else {
      // The text is not repeated: it may hold a password.
      throw field.error("must be a URL of http, https or socks5")
    }
    return proxy
  }

  /// What the cluster holds for credential plugins (KEP-541).
  func execExtension() throws -> JSONValue? {
    let extensions = try field.member("extensions")?.elements() ?? []
    return try extensions.first { try $0.member("name")?.string() == "client.authentication.k8s.io/exec" }?
      .member("extension")?.node.json
  }
}
