import DevrunConfig
import DevrunCore
import DevrunSystem
import Testing

@testable import DevrunView

@Suite("Variables that describe an image")
struct ImageVariablesTests {
  /// What of the container arrives, with a machine that has /usr and /tmp.
  private func arriving(
    _ container: [RawString], shell: EnvironmentVariables = [:], filter: NameFilter = NameFilter()
  ) -> [RawString: RawString] {
    let environment = ChildEnvironment(
      shell: shell, container: EnvironmentVariables(entries: container, origin: .container), filter: filter,
      files: LocalFiles(
        isThere: { $0.hasPrefix("/usr/") || $0 == "/tmp" }, isWritable: { $0.hasPrefix("/tmp/") }))
    return Dictionary(
      uniqueKeysWithValues: environment.resolved(environment.base(), assigning: []).map { ($0.name, $0.value) })
  }

  @Test(
    arguments: [
      "JAVA_HOME=/opt/java", "CATALINA_HOME=/usr/local/tomcat", "GOPATH=/go", "GOROOT=/usr/local/go",
      "GOTOOLCHAIN=local", "PYTHONPATH=/app", "PYTHONHOME=/usr/local", "VIRTUAL_ENV=/venv", "NODE_PATH=/app/lib",
      "NVM_DIR=/root/.nvm", "LD_LIBRARY_PATH=/usr/local/nvidia/lib64", "LD_PRELOAD=/usr/lib/libjemalloc.so",
      "DOTNET_ROOT=/usr/share/dotnet", "DOTNET_STARTUP_HOOKS=/otel/hook.dll", "CORECLR_ENABLE_PROFILING=1",
      "CORECLR_PROFILER_PATH_64=/p.so", "GEM_HOME=/usr/local/bundle", "BUNDLE_APP_CONFIG=/usr/local/bundle",
      "CARGO_HOME=/usr/local/cargo", "RUSTUP_HOME=/usr/local/rustup", "PERL5LIB=/app/lib",
      "JAVA_TOOL_OPTIONS=-javaagent:/otel/agent.jar -Xmx1g", "JAVA_TOOL_OPTIONS=-javaagent:agent.jar",
      "JAVA_OPTS=-javaagent:/usr/jmx.jar=8080:/etc/jmx/config.yaml", "JAVA_OPTS=-Xmx1g '-agentpath:/opt/a.so=x'",
      "JAVA_TOOL_OPTIONS=-agentlib:native-image-agent", "JAVA_OPTS=-Xbootclasspath/a:/usr/a.jar:/opt/b.jar",
      "JAVA_OPTS=-cp /app/lib/*:/usr/share", "JAVA_OPTS=-classpath  /app", "JDK_JAVA_OPTIONS=-p /app/mods -m app",
      "JDK_JAVA_OPTIONS=--patch-module m=/app/mods", "JDK_JAVA_OPTIONS=@/app/args", "JDK_JAVA_OPTIONS=-Xmx1g @args",
      "JAVA_OPTS=-Da=b -Djavax.net.ssl.trustStore=/certs/trust.jks", "JAVA_OPTS=-Djavax.net.ssl.keyStore=/k.p12",
      "JAVA_OPTS=-Dcom.sun.management.jmxremote.password.file=/jmx/password", "JAVA_OPTS=-XX:Flags=/app/.hotspotrc",
      "JAVA_OPTS=-Xlog:gc*,safepoint:file=/var/log/app/gc.log:time", "JAVA_OPTS=-Xloggc:/logs/gc.log",
      "JAVA_OPTS=-XX:StartFlightRecording=delay=1s,filename=/logs/a.jfr", "JAVA_OPTS=-Djava.io.tmpdir=/app/tmp",
      "MAVEN_OPTS=-Dmaven.repo.local=/root/.m2", "JDK_JAVA_OPTIONS=--module-path=/app/mods",
      "NODE_OPTIONS=--require dd-trace/init", "NODE_OPTIONS=--require  /app/a.js", "NODE_OPTIONS=-r \"/app/a b.js\"",
      "NODE_OPTIONS=--experimental_loader=./loader.mjs", "NODE_OPTIONS=--snapshot-blob=/app/blob",
      "NODE_REPL_EXTERNAL_MODULE=/app/repl.js",
      "NODE_OPTIONS=--max-old-space-size=100 -r newrelic", "NODE_OPTIONS=--import=file:///otel/hook.mjs",
      "SSL_CERT_FILE=/etc/none.pem", "NODE_EXTRA_CA_CERTS=/ca/ca.crt", "DOTNET_gcTrace=/var/none",
    ] as [RawString])
  func `A variable that describes the image is left out, and the shell's own counts`(entry: RawString) throws {
    let name = try #require(EnvironmentVariables.Variable(entry: entry)).name
    #expect(arriving([entry]) == [:])
    #expect(arriving([entry], shell: [name: "own"]) == [name: "own"])
  }

  @Test(
    arguments: [
      "JAVA_TOOL_OPTIONS=-Xmx512m -Dspring.profiles.active=dev -Dotel=http://otel:4317/v1", "JAVA_TOOL_OPTIONS=",
      "JAVA_OPTS=-Djava.io.tmpdir=/tmp", "JAVA_OPTS=-Dspring.profiles.active=prod -Dlog.dir=/var/log/app",
      "JAVA_OPTS=-XX:+HeapDumpOnOutOfMemoryError -XX:HeapDumpPath=/dumps -XX:ErrorFile=/dumps/e.log",
      "JAVA_TOOL_OPTIONS=-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=*:5005",
      "JAVA_TOOL_OPTIONS=-javaagent:/usr/a.jar=verbose -cp lib/*:/usr/lib/* --module-path /usr/m:/usr/n",
      "JAVA_TOOL_OPTIONS=-javaagent:\"/usr/a b.jar\" '-Dx=-javaagent:/none.jar'",
      "CATALINA_OPTS=-Dcatalina.base=/opt/t",
      "JAVA_OPTS=-Dlogging.config=/config/logback.xml -Djavax.net.ssl.trustStore=/usr/trust.jks",
      "JAVA_OPTS=-Xlog:gc -Xlog:gc:stderr -Xlog:gc*:file=/tmp/gc.log:time -Xloggc:gc.log",
      "MAVEN_OPTS=-Dmaven.wagon.http.ssl.insecure=true -Da=@/b", "JAVA_OPTS=-cp",
      "NODE_OPTIONS=--max-old-space-size=4096", "NODE_OPTIONS=--diagnostic-dir=/dumps --redirect-warnings=/a/b",
      "NODE_OPTIONS=--require  /usr/a.js", "NODE_OPTIONS=--require \"/usr/a b.js\" --import=file:///usr/a%20b.mjs",
      "NODE_OPTIONS=--import file:///usr/a.mjs -r node:fs", "NODE_OPTIONS=--require", "NODE_ENV=production",
      "SSL_CERT_FILE=/usr/ca.pem", "DOTNET_ENVIRONMENT=Development", "ASPNETCORE_URLS=http://+:8080",
      "PYTHONUNBUFFERED=1", "PYTHON_VERSION=3.12", "GOMAXPROCS=2", "GOMEMLIMIT=1GiB", "GOOGLE_CLOUD_PROJECT=p",
      "RUST_LOG=debug", "RAILS_ENV=production", "APP_HOME=/app", "CONFIG=/etc/app/config.yaml",
    ] as [RawString])
  func `A variable that an app reads, or that works here too, is taken`(entry: RawString) throws {
    let variable = try #require(EnvironmentVariables.Variable(entry: entry))
    #expect(arriving([entry]) == [variable.name: variable.value])
  }

  @Test func `The option --env-include takes variables that describe the image`() {
    let container: [RawString] = ["JAVA_HOME=/opt/java", "LD_PRELOAD=/x.so", "PATH=/image", "A=1"]
    #expect(
      arriving(container, filter: NameFilter(included: [.init("JAVA_*"), .init("LD_PRELOAD")]))
        == ["JAVA_HOME": "/opt/java", "LD_PRELOAD": "/x.so"])
    #expect(
      arriving(container, filter: NameFilter(included: [.init("*")])).keys.sorted() == ["A", "JAVA_HOME", "LD_PRELOAD"])
  }

  @Test(
    arguments: [
      (["JAVA_HOME"], ["A", "GREETING", "JAVA_HOME"]),
      (["JAVA_HOME", "LD_PRELOAD"], ["A", "GREETING", "JAVA_HOME", "LD_PRELOAD"]),
      (["GOPATH"], ["A", "GREETING"]), (["JAVA_HOME", "A"], ["A", "JAVA_HOME"]), (["GREETING"], ["GREETING"]),
      (["JAVA_HOME", "G*"], ["GREETING", "JAVA_HOME"]), (["JAVA_*"], ["JAVA_HOME"]), (["NONE"], []),
      (["PATH"], []), ([], ["A", "GREETING"]),
    ] as [([String], [String])])
  func `Names of variables that describe the image add them, and any other pattern selects`(
    patterns: [String], names: [String]
  ) {
    let container: [RawString] = ["JAVA_HOME=/opt/java", "LD_PRELOAD=/x.so", "PATH=/image", "A=1", "GREETING=hi"]
    var filter = NameFilter(included: patterns.map { Wildcard($0) })
    #expect(arriving(container, filter: filter).keys.map(\.description).sorted() == names)
    filter.excluded = [Wildcard("A"), Wildcard("JAVA_HOME")]
    #expect(
      arriving(container, filter: filter).keys.map(\.description).sorted()
        == names.filter { !["A", "JAVA_HOME"].contains($0) })
  }

  @Test func `What files and options assign counts, whatever it describes`() {
    let environment = ChildEnvironment(shell: [:], container: EnvironmentVariables(entries: ["JAVA_HOME=/image"]))
    let result = environment.resolved(
      environment.base(), assigning: [.init(name: "JAVA_HOME", value: "/chosen", origin: .file)])
    #expect(result["JAVA_HOME"] == "/chosen")
  }

  @Test(
    arguments: [
      ("-javaagent:/a/b.jar=x,/c -Dy=/z", ["/a/b.jar", "/c", "/z"]), ("/a:/b", ["/a", "/b"]),
      ("http://host/path,https://u:p@h:80/x /y", ["/y"]), ("file:///a/b", ["/a/b"]), ("a/b ./c ../d", []), ("", []),
      ("https://", []), ("-Dx=\"/a b\"", ["/a"]), ("/", ["/"]),
    ] as [(String, [String])])
  func `The absolute paths in options are found, and those of URLs are not`(value: String, paths: [String]) {
    #expect(ImageVariables.paths(in: value) == paths)
  }
}

@Suite("Variables that are unset")
struct UnsetVariablesTests {
  @Test func `An unset variable is neither the shell's nor the container's, but one that is assigned is there`() {
    let environment = ChildEnvironment(
      shell: ["AWS_PROFILE": "mine", "AWS_REGION": "r", "HTTPS_PROXY": "p", "KEPT": "1"],
      container: EnvironmentVariables(entries: ["AWS_PROFILE=theirs", "AWS_ROLE_ARN=arn", "B=2"]),
      unset: [.init("AWS_PROFILE"), .init("*_REGION"), .init("NO_PROXY"), .init("B")])
    let result = environment.resolved(
      environment.base(), assigning: [.init(name: "B", value: "3", origin: .option)])
    #expect(result.map(\.name.description).sorted() == ["AWS_ROLE_ARN", "B", "HTTPS_PROXY", "KEPT", "no_proxy"])
    #expect(result["B"] == "3")
  }
}
