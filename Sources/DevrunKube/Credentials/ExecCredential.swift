import DevrunConfig
import DevrunCore
import Foundation

/// What a credential plugin prints: an `ExecCredential` with a status (`client.authentication.k8s.io`, KEP-541).
struct ExecCredential: Sendable {
  /// A bearer token.
  var token: String?
  /// A client certificate with its key.
  var clientCertificate: Credentials.ClientCertificate?
  /// When both end; `nil` if they are good until refused.
  var expiration: Date?

  /// Reads a plugin's output. Throws `CredentialError.pluginOutput` where it is not what `apiVersion` says.
  init(output: [UInt8], command: String, apiVersion: String) throws(CredentialError) {
    func failure(_ problem: String) -> CredentialError { .pluginOutput(command: command, problem: problem) }
    let json: JSONValue
    do {
      json = try ExecCredentialPlugin.value(of: output)
    } catch {
      throw failure(output.isEmpty ? "it printed nothing" : "its output is neither JSON nor YAML")
    }
    // As in kubectl, the kind may be left out.
    guard json["kind"] == nil || json["kind"] == .null || ["", "ExecCredential"].contains(json["kind"]?.string) else {
      throw failure("it printed no ExecCredential object")
    }
    let version = json["apiVersion"]?.string ?? ""
    guard version == apiVersion else {
      throw failure(
        version.isEmpty || !HeaderText.isPrintable(version) || version.utf8.count > 100
          ? "it has no apiVersion, and the kubeconfig says \(apiVersion)"
          : "its apiVersion is \(version), and the kubeconfig says \(apiVersion)")
    }
    guard let status = json["status"], status != .null else { throw failure("the ExecCredential has no status") }
    func text(_ name: String) -> String? {
      status[name]?.string.flatMap { $0.isEmpty ? nil : $0 }
    }
    if let text = text("token") {
      guard let token = HeaderText.token(text) else {
        throw failure("its token holds a line break or another control character, which no token has")
      }
      self.token = token.isEmpty ? nil : token
    }
    switch (text("clientCertificateData"), text("clientKeyData")) {
    case (let certificate?, let key?):
      clientCertificate = Credentials.ClientCertificate(certificate: Array(certificate.utf8), key: Array(key.utf8))
    case (nil, nil):
      guard token != nil else { throw failure("its status has neither a token nor a client certificate") }
    default:
      throw failure("clientCertificateData and clientKeyData must come together")
    }
    if let text = text("expirationTimestamp") {
      guard let date = Self.date(text) else { throw failure("its expirationTimestamp is no RFC 3339 time") }
      expiration = date
    }
  }

  /// Reads an RFC 3339 time with or without a fraction of seconds.
  private static func date(_ text: String) -> Date? {
    let whole = Date.ISO8601FormatStyle()
    return (try? whole.parse(text)) ?? (try? Date.ISO8601FormatStyle(includingFractionalSeconds: true).parse(text))
  }
}

extension ExecCredentialPlugin {
  /// The text of `KUBERNETES_EXEC_INFO`: an `ExecCredential` with a spec that tells the plugin of its circumstances.
  func info(isInteractive: Bool) -> [UInt8] {
    var spec: JSONValue = ["interactive": .bool(isInteractive)]
    if let cluster { spec["cluster"] = cluster.json }
    let info: JSONValue = ["apiVersion": .string(apiVersion), "kind": "ExecCredential", "spec": spec]
    return info.text
  }
}

extension ExecCredentialPlugin.Cluster {
  /// The cluster as the API's `Cluster` type has it; what is not set is left out.
  fileprivate var json: JSONValue {
    var json: JSONValue = ["server": .string(server)]
    if let tlsServerName { json["tls-server-name"] = .string(tlsServerName) }
    if insecureSkipTLSVerify { json["insecure-skip-tls-verify"] = true }
    if let certificateAuthority { json["certificate-authority-data"] = .string(base64(certificateAuthority)) }
    if let proxyURL { json["proxy-url"] = .string(proxyURL) }
    if disableCompression { json["disable-compression"] = true }
    if let config { json["config"] = config }
    return json
  }
}
