import DevrunConfig
import DevrunCore
import DevrunPlan
import DevrunSystem
import DevrunYAML
import Foundation
import TestSupport
import Testing

@Suite("devrun.yaml")
struct ProjectFileTests {
  private func parse(_ text: String) throws -> ProjectFile {
    try ProjectFile.parse(Array(text.utf8), source: "/home/me/app/devrun.yaml")
  }

  @Test func `Every option of devrun.yaml is read`() throws {
    let file = try parse(
      """
      target: deploy/myapp1
      container: app
      namespace: shop
      context: dev@aks
      kubeconfig: deploy/kubeconfig
      ports: [8080, 80:8000, "443:8443"]
      env-file: ./local.env
      env:
        LOG_LEVEL: debug
        PORT: 0080
        DEBUG: on
        EMPTY: ""
      new-pod: yes
      image: registry.example/carrier:1
      agent-image: registry.example/agent:1
      isolation: trap
      """)
    #expect(file.target?.text == "deploy/myapp1")
    #expect(file.container == "app")
    #expect(file.namespace == "shop")
    #expect(file.context == "dev@aks")
    #expect(file.kubeconfig == "/home/me/app/deploy/kubeconfig")
    #expect(file.ports.map(\.description) == ["8080", "80:8000", "443:8443"])
    #expect(file.envFiles == ["/home/me/app/local.env"])
    #expect(
      file.environment.map { "\($0.name)=\($0.value)" } == ["LOG_LEVEL=debug", "PORT=0080", "DEBUG=on", "EMPTY="])
    #expect(file.newPod == true)
    #expect(file.image == "registry.example/carrier:1")
    #expect(file.agentImage == "registry.example/agent:1")
    #expect(file.isolation == .trap)
  }

  @Test func `An empty devrun.yaml is accepted, and so are empty options`() throws {
    for text in ["", "# later\n", "target:\nports:\nenv:\nenv-file: ~\nnew-pod:\n"] {
      let file = try parse(text)
      #expect(file.target?.text == nil)
      #expect(file.newPod == nil)
      #expect(file.ports.isEmpty && file.environment.isEmpty && file.envFiles.isEmpty)
    }
  }

  @Test func `A variable that is null in devrun.yaml is unset, and may be a pattern`() throws {
    let file = try parse("env: {A: 1, AWS_PROFILE: null, 'GCP_*': ~, B: 'null'}")
    #expect(file.environment.map { "\($0.name)=\($0.value)" } == ["A=1", "B=null"])
    #expect(file.unsetVariables == [Wildcard("AWS_PROFILE"), Wildcard("GCP_*")])
  }

  @Test func `Several environment files can be listed in devrun.yaml`() throws {
    #expect(try parse("env-file: [a.env, /etc/b.env]").envFiles == ["/home/me/app/a.env", "/etc/b.env"])
  }

  @Test(
    arguments: [
      ("prots: [80]", 1, 1, "there is no option 'prots'", "did you mean 'ports'?"),
      ("target: deployment/a\nnewPod: true", 2, 1, "there is no option 'newPod'", "did you mean 'new-pod'?"),
      ("- target", 1, 1, "the file must be a mapping, but is a list", nil),
      ("target: 5", 1, 9, "target must be a string, but is a number", "put it in quotes"),
      ("ports: 80", 1, 8, "ports must be a list, but is a number", nil),
      ("ports: [80, 0]", 1, 13, "ports[1] is wrong: '0': 0 is no port", "ports are numbers from 1 to 65535"),
      ("ports: [[80]]", 1, 9, "ports[0] must be a text, but is a list", nil),
      ("env: [A=b]", 1, 6, "env must be a mapping, but is a list", nil),
      ("env:\n  A:\n", 2, 5, "env.A must be a text, but is empty", "write \"\" for an empty text"),
      ("env:\n  A=B: c\n", 2, 3, "env has 'A=B', which is no name of a variable", nil),
      ("env:\n  A: {b: c}\n", 2, 6, "env.A must be a text, but is a mapping", nil),
      ("env:\n  A: \"\\0\"\n", 2, 6, "env.A holds a NUL, which no variable can", nil),
      ("new-pod: maybe", 1, 10, "new-pod must be true or false, but is a string", nil),
      (
        "isolation: usr", 1, 12, "isolation is 'usr', but must be one of automatic, mount, user, trap",
        "did you mean user?"
      ),
      (
        "namespace: My", 1, 12,
        "namespace is 'My', but names have lower-case letters, digits and '-', at most 63 in all", nil
      ),
      ("image: ''", 1, 8, "image must not be empty", nil),
      ("kubeconfig: ''", 1, 13, "kubeconfig must not be empty", nil),
    ] as [(String, Int, Int, String, String?)])
  func `A mistake in devrun.yaml is reported with its place`(
    text: String, line: Int, column: Int, what: String, remedy: String?
  ) throws {
    let error = try #require(throws: YAMLError.self) { try parse(text) }
    #expect(error.message.what == "/home/me/app/devrun.yaml:\(line):\(column): \(what)")
    #expect(error.message.remedy == remedy)
  }

  @Test func `A text of devrun.yaml that its reader refuses is reported with its place`() throws {
    let target = try #require(try parse("target: app").target)
    let error = try #require(throws: YAMLError.self) { try target.parsed(PortMapping.init(parsing:)) }
    #expect(error.message.what == "/home/me/app/devrun.yaml:1:9: target is wrong: 'app' is no port")
    #expect(error.message.remedy == "write REMOTE or REMOTE:LOCAL, such as 8080 or 80:8080")
  }

  @Test func `The search for devrun.yaml or azds-local.env goes upwards to the project's root`() throws {
    try TemporaryFolder.with { folder in
      try folder.write("devrun.yaml", "")
      try folder.write("project/go.mod", "")
      try folder.write("project/a/b/file", "")
      // Above the root: never.
      #expect(try ProjectFile.find(from: "\(folder.path)/project/a/b") == nil)
      try folder.write("project/devrun.yaml", "")
      #expect(try ProjectFile.find(from: "\(folder.path)/project/a/b") == "\(folder.path)/project/devrun.yaml")
      #expect(try ProjectFile.find(from: "\(folder.path)/project") == "\(folder.path)/project/devrun.yaml")
      try folder.write("project/a/devrun.yaml", "")
      #expect(try ProjectFile.find(from: "\(folder.path)/project/a/b") == "\(folder.path)/project/a/devrun.yaml")
      try folder.write("project/a/b/azds-local.env/folder", "")
      try folder.write("project/a/azds-local.env", "")
      #expect(
        try EnvironmentFiles.find(from: "\(folder.path)/project/a/b") == ["\(folder.path)/project/a/azds-local.env"])
    }
  }

  @Test(arguments: [".git/HEAD", "Package.swift", "App.csproj", "all.sln", "pom.xml"])
  func `A project's root is recognised by any of its usual files`(marker: String) throws {
    try TemporaryFolder.with { folder in
      try folder.write("project/\(marker)", "")
      try folder.write("project/devrun.yaml", "")
      try folder.write("project/sub/file", "")
      #expect(try ProjectFile.find(from: "\(folder.path)/project/sub") == "\(folder.path)/project/devrun.yaml")
    }
  }

  @Test func `Only the folder itself is searched for configuration if there is no project around it`() throws {
    try TemporaryFolder.with { folder in
      try folder.write("devrun.yaml", "")
      try folder.write("sub/azds-local.env", "")
      #expect(try ProjectFile.find(from: "\(folder.path)/sub") == nil)
      #expect(try EnvironmentFiles.find(from: "\(folder.path)/sub") == ["\(folder.path)/sub/azds-local.env"])
    }
  }

  @Test func `A project file or environment file that cannot be read is an error with the reason`() throws {
    try TemporaryFolder.with { folder in
      let missing = "\(folder.path)/none.yaml"
      #expect(throws: ProjectFileError(path: missing, reason: "No such file or directory")) {
        try ProjectFile.load(missing)
      }
      let problem = LocalEnvError.Problem(
        position: .init(source: folder.path, mark: nil), reason: .unreadable("Is a directory"))
      #expect(throws: LocalEnvError([problem])) {
        try EnvironmentFiles.load([folder.path])
      }
    }
  }
}
