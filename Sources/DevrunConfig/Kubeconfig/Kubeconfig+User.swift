internal import DevrunCore
internal import DevrunYAML

// The user of a context: credentials and impersonation, by the rules of client-go's `clientcmd` (`validation.go`,
// `client_config.go`).

extension Kubeconfig.Definition {
  /// The user's credentials. As in kubectl, a credential plugin counts only if there are no others.
  func credentials(cluster: ExecCredentialPlugin.Cluster) throws -> Credentials {
    let provider = try field.member("auth-provider")
    let idToken = try provider.map(idToken)
    if let provider, try field.member("exec") != nil {
      throw provider.error("excludes exec, which the user has as well", remedy: "remove one of them")
    }
    var credentials = Credentials(clientCertificate: try clientCertificate(), authorization: try fixedAuthorization())
    if credentials.authorization == nil, let idToken { credentials.authorization = .idToken(idToken) }
    if let exec = try field.member("exec") {
      let plugin = try plugin(exec, cluster: cluster)
      if credentials == Credentials() { credentials.authorization = .exec(plugin) }
    }
    return credentials
  }

  /// The token that an `auth-provider` of the kind `oidc` holds.
  private func idToken(of provider: YAMLField) throws -> Credentials.IDToken {
    let kind = try provider.member("name")?.string() ?? ""
    guard kind == "oidc" else {
      throw KubeconfigError.legacyAuthProvider(name: kind, user: name, place: provider.position.description)
    }
    let config = try provider.member("config")
    let refresh = try config.flatMap(refresh)
    guard let field = try config?.member("id-token"), let text = Self.trimmed(try field.string()), !text.isEmpty else {
      return Credentials.IDToken(token: "", expiration: nil, refresh: refresh)
    }
    guard let expiration = JSONWebToken.expiration(of: text) else {
      throw field.error("is no JSON Web Token with an expiration")
    }
    return Credentials.IDToken(token: text, expiration: expiration, refresh: refresh)
  }

  /// What an id-token is renewed with.
  private func refresh(_ config: YAMLField) throws -> Credentials.IDToken.Refresh? {
    func text(_ name: String) throws -> String? {
      guard let text = try config.member(name)?.string(), !text.isEmpty else { return nil }
      return text
    }
    guard let refreshToken = try text("refresh-token") else { return nil }
    let authority = try text("idp-certificate-authority-data").map { data in
      guard let bytes = Base64.decode(data) else {
        throw try config.required("idp-certificate-authority-data").error("is not valid base64")
      }
      return bytes
    }
    return Credentials.IDToken.Refresh(
      issuer: try text("idp-issuer-url") ?? "", clientID: try text("client-id") ?? "",
      clientSecret: try text("client-secret") ?? "", refreshToken: refreshToken, certificateAuthority: authority,
      certificateAuthorityFile: try text("idp-certificate-authority"), kubeconfig: config.source)
  }

  /// A token without the white space around it, such as the line break of a block; `nil` if no header can hold it.
  private static func trimmed(_ token: String) -> String? {
    let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0d).contains($0) }
    let bytes = Array(token.utf8.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
    guard !bytes.contains(where: { $0 < 0x20 || $0 == 0x7f }) else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Whom the user acts as.
  func impersonation() throws -> Impersonation? {
    let user = try text("as")
    let uid = try text("as-uid")
    let groups = try field.member("as-groups")?.elements().map { try $0.string() } ?? []
    let extra = try field.member("as-user-extra")?.members() ?? []
    guard let user else {
      guard uid == nil, groups.isEmpty, extra.isEmpty else {
        throw field.error("has as-uid, as-groups or as-user-extra without 'as'", remedy: "name a user to act as")
      }
      return nil
    }
    let values = try extra.map { ($0.key, try $0.value.elements().map { try $0.string() }) }
    return Impersonation(user: user, uid: uid, groups: groups, extra: Dictionary(values, uniquingKeysWith: { $1 }))
  }

  private func clientCertificate() throws -> Credentials.ClientCertificate? {
    guard let certificate = try pem("client-certificate", inline: "client-certificate-data") else { return nil }
    guard let key = try pem("client-key", inline: "client-key-data") else {
      throw field.error("has a client certificate but neither client-key-data nor client-key")
    }
    return Credentials.ClientCertificate(certificate: certificate, key: key)
  }

  private func fixedAuthorization() throws -> Credentials.Authorization? {
    let token = try text("token").flatMap { text -> String? in
      guard let token = Self.trimmed(text) else {
        throw try field.required("token").error("holds a line break or another control character, which no token has")
      }
      return token.isEmpty ? nil : token
    }
    let tokenFile = try text("tokenFile")
    let user = try text("username")
    let password = try text("password")
    if token != nil || tokenFile != nil, user != nil || password != nil {
      throw field.error("has both a token and a user name or password, but only one can be sent")
    }
    if let tokenFile, let tokenFileField = try field.member("tokenFile") {
      if token == nil { _ = try read(tokenFile, namedBy: tokenFileField) }
      return .tokenFile(path: ConfigPath.resolve(tokenFile, in: directory), fallback: token)
    }
    if let token { return .token(token) }
    return user != nil || password != nil ? .basic(user: user ?? "", password: password ?? "") : nil
  }

  private func plugin(_ exec: YAMLField, cluster: ExecCredentialPlugin.Cluster) throws -> ExecCredentialPlugin {
    let versionField = try exec.required("apiVersion")
    let version = try versionField.string()
    let versions = ExecCredentialPlugin.supportedVersions
    guard versions.contains(version) else {
      throw versionField.error(
        "is '\(version)', but must be \(versions.joined(separator: " or "))",
        remedy: version.hasSuffix("/v1alpha1") ? "update the plugin and the kubeconfig; v1alpha1 is gone" : nil)
    }
    let commandField = try exec.required("command")
    let command = try commandField.string()
    guard !command.isEmpty else { throw commandField.error("must not be empty") }
    let words = try [commandField] + (exec.member("args")?.elements() ?? []) + (exec.member("env")?.elements() ?? [])
    for word in words where word.node.holdsNUL { throw word.error("must not hold the character NUL") }
    let isPath = command.contains("/")
    return ExecCredentialPlugin(
      apiVersion: version,
      command: isPath ? ConfigPath.resolve(command, in: directory) : command,
      arguments: try exec.member("args")?.elements().map { try $0.string() } ?? [],
      environment: try exec.member("env")?.elements().map(Self.variable) ?? [],
      installHint: try exec.member("installHint")?.string(),
      interactiveMode: try Self.interactiveMode(of: exec, isRequired: version.hasSuffix("/v1")),
      cluster: try exec.member("provideClusterInfo")?.bool() ?? false ? cluster : nil)
  }

  private static func variable(_ field: YAMLField) throws -> ExecCredentialPlugin.Variable {
    let name = try field.required("name")
    guard try !name.string().isEmpty, try !name.string().contains("=") else {
      // The text is not repeated: it may hold the value, too.
      throw name.error("must be the name of a variable: not empty and without '='")
    }
    return ExecCredentialPlugin.Variable(name: try name.string(), value: try field.member("value")?.string() ?? "")
  }

  /// `v1` made the mode obligatory.
  private static func interactiveMode(
    of exec: YAMLField, isRequired: Bool
  ) throws -> ExecCredentialPlugin.InteractiveMode {
    let modes = ExecCredentialPlugin.InteractiveMode.allCases.map(\.rawValue)
    guard let field = try exec.member("interactiveMode"), try field.string() != "" else {
      guard !isRequired else {
        throw exec.error("must have 'interactiveMode', one of \(modes.joined(separator: ", "))")
      }
      return .ifAvailable
    }
    let text = try field.string()
    guard let mode = ExecCredentialPlugin.InteractiveMode(rawValue: text) else {
      throw field.error(
        "is '\(text)', but must be one of \(modes.joined(separator: ", "))",
        remedy: nearest(to: text, in: modes).map { "did you mean \($0)?" })
    }
    return mode
  }
}
