internal import DevrunConfig
internal import DevrunCore
internal import DevrunKube
internal import DevrunSystem
internal import DevrunView
internal import Foundation

/// Takes secrets out of a text that is to be kept: those that are known, and whatever looks like one.
///
/// devrun's own words hold no values of variables. But they quote others: the API server, the kernel, the container
/// that the agent runs in.
struct SecretMask: Sendable {
  /// What stands in a secret's place.
  static let mark = EnvironmentFormat.mask.description
  /// Shorter texts are not looked for: "1" and "true" would be masked everywhere.
  static let minimumLength = 6

  private var known: [String] = []

  /// Remembers secrets. Of one with several lines each line counts, since messages are cut into lines.
  mutating func add(_ secrets: some Sequence<String>) {
    for secret in secrets {
      let lines = secret.split(whereSeparator: \.isNewline).map(String.init)
      for text in Set(lines + [secret]) where text.count >= Self.minimumLength && !known.contains(text) {
        known.append(text)
      }
    }
    // One that contains another goes first.
    known.sort { $0.count > $1.count }
  }

  /// What looks like a secret, between what is kept before and after it: private keys, JSON Web Tokens, the
  /// `Authorization` header's credentials, what stands before the host of a URL or of a data source, and values of names
  /// that say what they are.
  private static var patterns: [Regex<(Substring, Substring, Substring)>] {
    [
      /(?s)(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(-----END [A-Z ]*PRIVATE KEY-----|\z)/,
      /()\beyJ[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]*)+()/,
      /(?i)(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+\/=\-]{8,}()/,
      // A password may hold any of these characters unescaped; a port and a path may stand before an unrelated '@'.
      /(:\/\/)[^\/\s@:"']*:(?![0-9]+[\/?#])[^\s"']+(@)/,
      /(:\/\/)[^\/\s@?#"']+(@)/,
      /(\b[^\s:@\/"'=]+:)[^\s@"']+(@(?:tcp|unix)\()/,
      /(?i)((?:password|passwd|passphrase|secret|token|api[_\-]?key|access[_\-]?key|account[_\-]?key|;\s?pwd|[.\-_]pw)(?:["']?\s?:\s?|[a-z0-9_]*["']?\s?=\s?)["']?)[^\s"',;&*]+()/,
    ]
  }

  /// The text without secrets.
  func apply(_ text: String) -> String {
    var text = text
    for secret in known where text.contains(secret) { text = text.replacing(secret, with: Self.mark) }
    for pattern in Self.patterns { text.replace(pattern, with: { "\($0.1)\(Self.mark)\($0.2)" }) }
    return text
  }
}

extension SecretMask {
  /// The secrets of a container's environment: the values of variables that come from a Secret, may come from one, or
  /// are named as if they did.
  ///
  /// - Parameters:
  ///   - environment: the container's variables.
  ///   - pod: the pod, whose spec says where they come from.
  ///   - container: the name of the container.
  static func secrets(in environment: EnvironmentVariables, of pod: KubeObject, container: String) -> [RawString] {
    let spec = pod.container(named: container)
    let variables = spec?.environment ?? []
    let fromSecrets = Set(
      variables.filter { $0[path: "valueFrom", "secretKeyRef"] != nil }.compactMap { $0["name"]?.string })
    let explained = Set(variables.compactMap { $0["name"]?.string }).subtracting(fromSecrets)
    let prefixes = (spec?.environmentSources ?? []).filter { $0["secretRef"] != nil }.map { $0["prefix"]?.string ?? "" }
    return environment.filter { variable in
      let (name, text) = (variable.name.description, variable.value.description)
      if fromSecrets.contains(name) || looksSecret(name) { return true }
      // Without a prefix any name may be a Secret's; those that the machine keeps, the services' and places in the image are
      // none.
      return !explained.contains(name) && prefixes.contains(where: name.hasPrefix)
        && !ChildEnvironment.keeps(variable.name) && !(ImageVariables.contains(variable.name) && isPlaces(text))
        && !ServiceVariable.isAddress(text)
    }.map(\.value)
  }

  /// Whether a text is nothing but absolute paths with colons between.
  private static func isPlaces(_ text: String) -> Bool {
    text.split(separator: ":", omittingEmptySubsequences: false).allSatisfy { path in
      path.hasPrefix("/") && !path.contains(where: \.isWhitespace)
    }
  }

  /// The names of the variables whose values are not to be shown: they are secrets, hold one, or look like one.
  ///
  /// - Parameters:
  ///   - environment: the command's variables.
  ///   - known: the values of the container's variables that are secrets.
  static func names(ofSecretsIn environment: EnvironmentVariables, known: [RawString]) -> Set<RawString> {
    let named = environment.filter { looksSecret($0.name.description) }
    let equal = Set(known.filter { !$0.bytes.isEmpty })
    // What a file or an option makes of a secret holds it without the line break that secrets often end in.
    let held = Set((known + named.map(\.value)).map { $0.description.trimmingCharacters(in: .whitespacesAndNewlines) })
      .filter { $0.count >= minimumLength && !ServiceVariable.isAddress($0) }
    let patterns = SecretMask()
    return Set(named.map(\.name)).union(
      environment.filter { variable in
        if equal.contains(variable.value) { return true }
        let text = variable.value.description
        if text.count < minimumLength || ServiceVariable.isAddress(text) { return false }
        return held.contains { text.contains($0) } || patterns.apply(text) != text
      }.map(\.name))
  }

  /// What names of variables contain whose values are secrets.
  private static let secretWords = [
    "PASSWORD", "PASSWD", "SECRET", "TOKEN", "APIKEY", "API_KEY", "ACCESS_KEY", "PRIVATE_KEY", "CREDENTIAL",
  ].map { Array($0.utf8) }

  /// Whether a variable of this name usually holds a secret. There may be thousands of names.
  static func looksSecret(_ name: String) -> Bool {
    let bytes = name.utf8.map { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) ? $0 - 32 : $0 }
    return bytes.indices.contains { start in
      secretWords.contains { word in
        bytes[start] == word[0] && bytes.count - start >= word.count
          && word.indices.allSatisfy { bytes[start + $0] == word[$0] }
      }
    }
  }

  /// The secrets of a user's own credentials, as far as the kubeconfig holds them.
  static func secrets(of credentials: Credentials) -> [String] {
    switch credentials.authorization {
    case .token(let token): [token]
    case .tokenFile(_, let fallback): [fallback].compactMap { $0 }
    case .idToken(let token): token.secrets
    case .basic(_, let password): [password]
    case .exec, nil: []
    }
  }
}
