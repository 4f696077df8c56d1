import DevrunCore
import DevrunSystem
import Testing

@testable import DevrunView

@Suite("Environment of the command")
struct ChildEnvironmentTests {
  private func resolve(
    shell: EnvironmentVariables = [:], container: [RawString] = [], services: [ServiceAddress] = [],
    assignments: [EnvironmentVariables.Variable] = []
  ) -> EnvironmentVariables {
    let environment = ChildEnvironment(
      shell: shell, container: EnvironmentVariables(entries: container, origin: .container),
      services: ServiceAddresses(services))
    return environment.resolved(environment.base(), assigning: assignments)
  }

  /// The values alone, by name.
  private func values(_ environment: EnvironmentVariables) -> [RawString: RawString] {
    Dictionary(uniqueKeysWithValues: environment.map { ($0.name, $0.value) })
  }

  @Test func `Later sources of a variable win, in the order shell, container, file, command line`() {
    let result = resolve(
      shell: ["A": "shell", "B": "shell", "C": "shell"], container: ["B=container", "C=container", "D=container"],
      assignments: [
        .init(name: "C", value: "file", origin: .file), .init(name: "E", value: "file", origin: .file),
        .init(name: "E", value: "option", origin: .option),
      ])
    #expect(result.map(\.origin) == [.shell, .container, .file, .container, .option])
    #expect(values(result) == ["A": "shell", "B": "container", "C": "file", "D": "container", "E": "option"])
  }

  @Test(
    arguments: [
      "PATH", "HOME", "PWD", "OLDPWD", "SHELL", "USER", "LOGNAME", "TERM", "TMPDIR", "LANG", "LC_ALL", "LD_PRELOAD",
      "XDG_RUNTIME_DIR", "SSH_AUTH_SOCK", "DISPLAY",
    ] as [RawString])
  func `Variables that describe this machine are not taken from the container`(name: RawString) {
    let entry = RawString(name.bytes + Array("=container".utf8))
    #expect(resolve(shell: [name: "here"], container: [entry])[name] == "here")
    #expect(resolve(container: [entry])[name] == nil)
    #expect(
      resolve(shell: [name: "here"], assignments: [.init(name: name, value: "asked", origin: .option)])[name] == "asked"
    )
  }

  // A credential plugin gets this shell's own: see PluginRunnerTests.
  @Test(
    arguments: [
      "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
      "GOOGLE_APPLICATION_CREDENTIALS",
    ] as [RawString])
  func `Cloud credentials are taken from the container`(name: RawString) {
    let entry = RawString(name.bytes + Array("=container".utf8))
    #expect(resolve(shell: [name: "here"], container: [entry])[name] == "container")
  }

  @Test func `Values arrive exactly, even if they are empty, have several lines or are no text`() {
    let bytes = RawString(Array("BYTES=".utf8) + [0xff, 0xfe, 0x0a])
    let result = resolve(container: ["EMPTY=", "URL=a=b=c", "LINES=one\ntwo\n", bytes, "nonsense", "=x"])
    #expect(result["EMPTY"] == "")
    #expect(result["URL"] == "a=b=c")
    #expect(result["LINES"] == "one\ntwo\n")
    #expect(result["BYTES"]?.bytes == [0xff, 0xfe, 0x0a])
    #expect(result["nonsense"] == nil)
  }

  @Test func `Service variables get local addresses, except the API server's and the app's own`() {
    let result = resolve(
      container: [
        "MY_APP2_SERVICE_HOST=10.0.0.2", "MY_APP2_SERVICE_PORT=80", "MY_APP2_PORT=tcp://10.0.0.2:80",
        "MY_APP2_PORT_80_TCP=tcp://10.0.0.2:80", "MY_APP2_PORT_80_TCP_ADDR=10.0.0.2", "MY_APP2_PORT_80_TCP_PORT=80",
        "OTHER_SERVICE_HOST=set.by.hand", "UNRELATED=10.0.0.2", "KUBERNETES_SERVICE_HOST=10.0.0.1",
      ],
      services: [
        ServiceAddress(name: "my-app2", clusterIP: "10.0.0.2", local: "127.77.0.1"),
        ServiceAddress(name: "other", clusterIP: "10.0.0.3", local: "127.77.0.2"),
        ServiceAddress(name: "kubernetes", clusterIP: "10.0.0.1", local: "127.77.0.3"),
      ])
    #expect(
      values(result) == [
        "MY_APP2_SERVICE_HOST": "127.77.0.1", "MY_APP2_SERVICE_PORT": "80", "MY_APP2_PORT": "tcp://127.77.0.1:80",
        "MY_APP2_PORT_80_TCP": "tcp://127.77.0.1:80", "MY_APP2_PORT_80_TCP_ADDR": "127.77.0.1",
        "MY_APP2_PORT_80_TCP_PORT": "80", "OTHER_SERVICE_HOST": "set.by.hand", "UNRELATED": "10.0.0.2",
        "KUBERNETES_SERVICE_HOST": "10.0.0.1",
      ])
  }

  @Test func `A service's variables are found if its name looks like a part of another's variable`() {
    let result = resolve(
      container: [
        "A_PORT_80_TCP_PORT=tcp://10.0.0.2:80", "A_PORT=tcp://10.0.0.1:80", "A_SERVICE_SERVICE_HOST=10.0.0.3",
        "A_SERVICE_HOST=10.0.0.1", "A_PORTAL=10.0.0.9",
      ],
      services: [
        ServiceAddress(name: "a", clusterIP: "10.0.0.1", local: "127.77.0.1"),
        ServiceAddress(name: "a-port-80-tcp", clusterIP: "10.0.0.2", local: "127.77.0.2"),
        ServiceAddress(name: "a-service", clusterIP: "10.0.0.3", local: "127.77.0.3"),
      ])
    #expect(
      values(result) == [
        "A_PORT_80_TCP_PORT": "tcp://127.77.0.2:80", "A_PORT": "tcp://127.77.0.1:80",
        "A_SERVICE_SERVICE_HOST": "127.77.0.3", "A_SERVICE_HOST": "127.77.0.1", "A_PORTAL": "10.0.0.9",
      ])
  }
}

@Suite("Name service switch")
struct NameServiceTests {
  @Test(
    arguments: [
      ("hosts: files dns\n", nil),
      (
        "passwd: files\nhosts:  mymachines resolve [!UNAVAIL=return] files myhostname dns\n",
        "passwd: files\nhosts: files mymachines resolve [!UNAVAIL=return] myhostname dns\n"
      ),
      ("# hosts: resolve files\n", nil), ("", nil), ("hosts: dns", "hosts: files dns"),
    ] as [(String, String?)])
  func `The hosts line of the name service switch gets files as its first source`(text: String, expected: String?) {
    #expect(NameService.filesFirst(text) == expected)
  }
}
