package import DevrunCore

// Theory of operation: an image sets variables for the programs in it: where its Java, Go or Python is, which agents a
// runtime loads, where its certificates are. The command runs the same programs of this machine, which have none of that
// at the image's paths. With such a variable many do not even start: PYTHONHOME, JAVA_TOOL_OPTIONS with an agent,
// NODE_OPTIONS with a module. So the container's value is left out, and this shell's own, if there is one, counts.
//
// What an app reads for itself (JAVA_OPTS apart, which start scripts hand to Java) is not here. A variable with a
// meaning for both, such as JAVA_TOOL_OPTIONS=-Xmx512m, is left out only because of its value.

/// The machine's files, as the command will find them.
struct LocalFiles: Sendable {
  /// Whether something is at an absolute path.
  var isThere: @Sendable (String) -> Bool = { _ in false }
  /// Whether the command can write, and if need be make, the file at an absolute path.
  var isWritable: @Sendable (String) -> Bool = { _ in false }
}

/// The variables that describe the file system of a container's image: the command does not get them by default.
package enum ImageVariables {
  /// When a variable is left out.
  private enum Condition {
    /// Always: it has no other use.
    case always
    /// If its value names an absolute path that the command will not find here.
    case missing
    /// If one of its options needs what the command will not find here.
    case options(RuntimeOptions)
  }

  private struct Rule {
    var reason: String
    var condition: Condition
    /// The names; one that ends in `*` stands for all names with that beginning.
    var names: [String]
  }

  private static let rules: [Rule] = [
    Rule(
      reason: "they are where the image has its Java and its tools", condition: .always,
      names: [
        "JAVA_HOME", "JRE_HOME", "JDK_HOME", "CLASSPATH", "CATALINA_HOME", "CATALINA_BASE", "CATALINA_TMPDIR",
        "TOMCAT_NATIVE_LIBDIR", "JBOSS_HOME", "JETTY_HOME", "JETTY_BASE", "MAVEN_HOME", "M2_HOME", "MAVEN_CONFIG",
        "GRADLE_HOME", "GRADLE_USER_HOME", "SCALA_HOME", "KOTLIN_HOME", "GRAALVM_HOME", "SDKMAN_DIR",
      ]),
    Rule(
      reason: "they make Java load agents and files of the image", condition: .options(.java),
      names: [
        "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JAVA_OPTS", "JAVA_OPTS_APPEND", "JAVA_OPTIONS",
        "JAVA_ARGS", "CATALINA_OPTS",
        "JVM_OPTS", "MAVEN_OPTS", "GRADLE_OPTS", "SBT_OPTS",
      ]),
    Rule(
      reason: "they are where the image has its Python and its packages", condition: .always,
      names: [
        "PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE", "PYTHONSTARTUP", "PYTHONEXECUTABLE", "PYTHONPLATLIBDIR",
        "VIRTUAL_ENV", "CONDA_*", "PYENV_*", "PIPX_*", "POETRY_HOME", "POETRY_VIRTUALENVS_*", "UV_PYTHON*",
        "UV_PROJECT_ENVIRONMENT", "PIP_TARGET", "PIP_PREFIX",
      ]),
    Rule(
      reason: "they are where the image has its Node and its modules", condition: .always,
      names: [
        "NODE_PATH", "NVM_*", "NPM_CONFIG_PREFIX", "npm_config_prefix", "NPM_CONFIG_GLOBALCONFIG",
        "npm_config_globalconfig", "PNPM_HOME", "COREPACK_HOME", "VOLTA_HOME", "BUN_INSTALL", "DENO_DIR",
        "DENO_INSTALL*", "YARN_CACHE_FOLDER",
      ]),
    Rule(
      reason: "they make Node load modules of the image", condition: .options(.node), names: ["NODE_OPTIONS"]),
    Rule(reason: "they name files of the image for Node", condition: .missing, names: ["NODE_REPL_*"]),
    Rule(
      reason: "they are where the image has its Go, and which one it is", condition: .always,
      names: [
        "GOPATH", "GOROOT", "GOBIN", "GOCACHE", "GOMODCACHE", "GOENV", "GOTMPDIR", "GOTOOLDIR", "GOTOOLCHAIN",
        "GOFLAGS", "GOCOVERDIR",
      ]),
    Rule(
      reason: "they are where the image has its Rust, and which one it is", condition: .always,
      names: ["CARGO_HOME", "CARGO_TARGET_DIR", "RUSTUP_*", "RUSTC", "RUSTC_WRAPPER", "RUSTFLAGS"]),
    Rule(
      reason: "they are where the image has its Ruby and its gems", condition: .always,
      names: ["GEM_HOME", "GEM_PATH", "BUNDLE_*", "RUBYLIB", "RUBYOPT", "RBENV_*", "RVM_*", "rvm_*"]),
    Rule(
      reason: "they are where the image has its .NET", condition: .always,
      names: [
        "DOTNET_ROOT*", "DOTNET_HOST_PATH", "DOTNET_STARTUP_HOOKS", "DOTNET_ADDITIONAL_DEPS", "DOTNET_SHARED_STORE",
        "DOTNET_BUNDLE_EXTRACT_BASE_DIR", "DOTNET_CLI_HOME", "NUGET_PACKAGES", "MSBuildSDKsPath",
        "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES",
      ]),
    Rule(
      reason: "they make .NET load a profiler of the image", condition: .always,
      names: ["CORECLR_*", "COR_ENABLE_PROFILING", "COR_PROFILER*"]),
    Rule(reason: "they name files of the image for .NET", condition: .missing, names: ["DOTNET_*"]),
    Rule(
      reason: "they are where the image has its Perl, PHP, Erlang, Lua, R or Julia", condition: .always,
      names: [
        "PERL5LIB", "PERL5OPT", "PERL_*", "PHPRC", "PHP_INI_DIR", "PHP_INI_SCAN_DIR", "COMPOSER_HOME",
        "COMPOSER_VENDOR_DIR", "ERL_LIBS", "MIX_HOME", "HEX_HOME", "LUA_PATH*", "LUA_CPATH*", "R_HOME", "R_LIBS*",
        "JULIA_DEPOT_PATH", "JULIA_LOAD_PATH",
      ]),
    Rule(
      reason: "they are libraries of the image for the dynamic linker, compilers and shells", condition: .always,
      names: [
        "LD_*", "LIBRARY_PATH", "CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "PKG_CONFIG_PATH",
        "CMAKE_PREFIX_PATH", "GCONV_PATH", "LOCPATH", "NIX_*", "BASH_ENV", "MANPATH", "INFOPATH",
      ]),
    Rule(
      reason: "they name certificates and settings of the image", condition: .missing,
      names: [
        "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
        "AWS_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT", "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES",
        "PIP_CONFIG_FILE", "NPM_CONFIG_USERCONFIG", "npm_config_userconfig", "FONTCONFIG_FILE", "FONTCONFIG_PATH",
      ]),
  ]

  private static let byName: [String: Rule] = Dictionary(
    rules.flatMap { rule in rule.names.filter { !$0.hasSuffix("*") }.map { ($0, rule) } },
    uniquingKeysWith: { first, _ in first })
  private static let byPrefix: [(prefix: [UInt8], rule: Rule)] = rules.flatMap { rule in
    rule.names.filter { $0.hasSuffix("*") }.map { (Array($0.utf8.dropLast()), rule) }
  }

  private static func rule(for name: RawString) -> Rule? {
    byName[name.description] ?? byPrefix.first { name.bytes.starts(with: $0.prefix) }?.rule
  }

  /// Whether variables of a name describe an image, whatever their values are.
  package static func contains(_ name: RawString) -> Bool { rule(for: name) != nil }

  /// Why the command is not to get a container's variable; `nil` if it is.
  ///
  /// - Parameter files: the files that the command will find.
  static func reason(toLeaveOut name: RawString, value: RawString, files: LocalFiles) -> String? {
    guard let rule = rule(for: name) else { return nil }
    switch rule.condition {
    case .always: return rule.reason
    case .missing: return paths(in: value.description).allSatisfy(files.isThere) ? nil : rule.reason
    case .options(let options):
      let areMet = options.needs(of: value.description).allSatisfy { need in
        switch need {
        case .path(let paths): paths.contains(where: files.isThere)
        case .output(let path): files.isWritable(path)
        case .name: false
        }
      }
      return areMet ? nil : rule.reason
    }
  }

  /// The absolute paths that a value names, such as those of `-javaagent:/opt/a.jar=x -Dy=/z`; those of URLs but `file:`
  /// are none.
  static func paths(in value: String) -> [String] {
    let ends = Set(" \t\n:,;=\"'()[]@".utf8)
    let bytes = Array(value.utf8)
    var paths: [String] = []
    var index = 0
    while index < bytes.count {
      let previous = index > 0 ? bytes[index - 1] : UInt8(ascii: " ")
      guard bytes[index] == UInt8(ascii: "/"), ends.contains(previous) else {
        index += 1
        continue
      }
      if previous == UInt8(ascii: ":"), bytes[index...].starts(with: "//".utf8) {
        index += 2
        guard index < bytes.count, bytes[index] == UInt8(ascii: "/") else {
          // The host of a URL, and what follows it.
          while index < bytes.count, !Set(" \t\n,;\"'".utf8).contains(bytes[index]) { index += 1 }
          continue
        }
      }
      let end = bytes[index...].firstIndex(where: ends.contains) ?? bytes.count
      paths.append(String(decoding: bytes[index..<end], as: UTF8.self))
      index = end
    }
    return paths
  }
}
