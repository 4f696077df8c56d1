import DevrunConfig
import DevrunCore
import DevrunYAML
import Testing

private func parse(_ text: String) throws -> LocalEnvFile {
  try KubernetesLocalProcessConfig.parse(Array(text.utf8), source: "f.yaml")
}

@Suite("KubernetesLocalProcessConfig.yaml")
struct KubernetesLocalProcessConfigTests {
  @Test func `The documented example of KubernetesLocalProcessConfig.yaml is read`() throws {
    let file = try EnvironmentFiles.load([fixture("KubernetesLocalProcessConfig.yaml")])
    #expect(file.warnings.isEmpty)
    #expect(
      file.assignments.map { "\($0.name)=\(shown($0.segments))" } == [
        "KUBERNETES_IN_CLUSTER_CONFIG_OVERRIDE="
          + "<volume default-token-* at /var/run/secrets/kubernetes.io/serviceaccount>",
        "ALLOW_LIST_PATH=<volume allow-list>/allow-list", "MYAPP1_SERVICE_HOST=<service - myapp1>/api/v1/",
        "MYAPP2_SERVICE_HOST=<service mynamespace myapp2>", "DEBUG_MODE=true",
        "DB_HOST=<endpoint server-bridgetest123.database.windows.net>",
      ])
    #expect(
      try file.volumes(in: ["kube-api-access-q", "allow-list"]) == [
        .init(volume: "kube-api-access-q", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount"),
        .init(volume: "allow-list"),
      ])
  }

  @Test(
    arguments: [
      ("$(volumeMounts:data)", "<volume data>"), ("$(VOLUMEMOUNTS:d*)/x", "<volume d*>/x"),
      ("$(volumeMounts:here)", "<volume here at /there>"), ("$(services:web)", "<service - web>"),
      ("$(services:web:80)", "<service - web>"), ("$(services:web.shop:80,443)", "<service shop web>"),
      ("http://$(services:a):80,$(services:b)", "http://<service - a>:80,<service - b>"),
      ("$(externalEndpoints:a.example:80,443)", "<endpoint a.example>"),
      ("$(externalendpoints:a.example:80, 443,80)", "<endpoint a.example>"),
      ("$(externalendpoints:10.10.12.5:3306)", "<endpoint 10.10.12.5>"),
      ("$(externalendpoints:My_Host.Example:1)", "<endpoint My_Host.Example>"), ("$$(x)", "$(x)"),
      ("pa$$word$", "pa$$word$"), ("${volumes.x} $x", "${volumes.x} $x"), ("a)b(", "a)b("),
      ("$$($(services:a)", "$(<service - a>"), ("\"a\\n\\u00fc\"", "a\nü"), ("'it''s'", "it's"), ("true", "true"),
      ("8080", "8080"), ("1.10", "1.10"), ("", ""), ("~", ""), ("\"\"", ""),
    ])
  func `Tokens in the YAML file are recognised in any letter case, and other text is kept`(
    text: String, expected: String
  ) throws {
    let value = text.hasPrefix("\"") || text.hasPrefix("'") || ["true", "8080", "1.10", "", "~"].contains(text)
    let file = try parse(
      "version: 0.1\nvolumeMounts:\n- {name: here, localPath: //there/}\nenv:\n- name: A\n  value: "
        + (value ? text : "'\(text)'") + "\n")
    #expect(shown(file.assignments[0].segments) == expected)
  }

  @Test func `A volume with a localPath is mounted even if no variable names it, one without is ignored`() throws {
    let file = try parse(
      "version: '0.1'\nvolumeMounts:\n- {name: a, localPath: /a}\n- {name: b}\n- {name: c, localPath: ''}\n")
    #expect(try file.volumes(in: ["a", "b", "c"]) == [.init(volume: "a", mountPath: "/a")])
    #expect(try parse("version: 0.1\n").assignments.isEmpty)
    #expect(try parse("version: 0.1\nenv:\nvolumeMounts:\nenableFeatures:\n").mounts.isEmpty)
  }

  @Test func `A variable that the YAML file assigns twice keeps the last value and causes a warning`() throws {
    let file = try parse("version: 0.1\nenv:\n- {name: A, value: 1}\n- {name: A, value: 2}\n")
    #expect(file.assignments.map { shown($0.segments) } == ["2"])
    #expect(file.warnings.map(\.description) == ["f.yaml:4:10: A is assigned again; its value of line 3 is not used"])
  }

  @Test(
    arguments: [
      ("env: []\n", 1, 1, .processConfig(.missingVersion)), ("", 1, 1, .processConfig(.missingVersion)),
      ("version:\n", 1, 1, .processConfig(.missingVersion)),
      ("version: 0.2\n", 1, 10, .processConfig(.unknownVersion("0.2"))),
      (
        "version: 0.1\nenv:\n- {value: 1}\n", 3, 3,
        .yaml(.unexpected(path: "env[0]", problem: "must have 'name'", remedy: nil))
      ),
      (
        "version: 0.1\nenv:\n- {name: A, vlue: 1}\n", 3, 13,
        .yaml(.unknownKey("vlue", allowed: ["name", "value"], nearest: "value"))
      ),
      (
        "version: 0.1\nenv: {A: 1}\n", 2, 6,
        .yaml(.unexpected(path: "env", problem: "must be a list, but is a mapping", remedy: nil))
      ),
      (
        "version: 0.1\nenv:\n- {name: A, value: [1]}\n", 3, 20,
        .yaml(.unexpected(path: "env[0].value", problem: "must be a text, but is a list", remedy: nil))
      ),
      ("version: 0.1\nenv:\n- {name: '', value: 1}\n", 3, 10, .processConfig(.invalidVariableName(""))),
      ("version: 0.1\nenv:\n- {name: A=B, value: 1}\n", 3, 10, .processConfig(.invalidVariableName("A=B"))),
      ("version: 0.1\nenv:\n- {name: A, value: \"a\\0\"}\n", 3, 20, .nul),
      ("version: 0.1\nenv:\n- name: A\n  value: a $(services:x\n", 4, 12, .processConfig(.unterminatedToken)),
      (
        "version: 0.1\nenv:\n- name: A\n  value: $(HOME)\n", 4, 10,
        .processConfig(.unknownToken("HOME", suggestion: nil))
      ),
      (
        "version: 0.1\nenv:\n- name: A\n  value: $(volumes:x)\n", 4, 10,
        .processConfig(.unknownToken("volumes:x", suggestion: "volumeMounts:x"))
      ),
      (
        "version: 0.1\nenv:\n- name: A\n  value: $(service:x)\n", 4, 10,
        .processConfig(.unknownToken("service:x", suggestion: "services:x"))
      ),
      (
        "version: 0.1\nenv:\n- name: A\n  value: ü$(services)\n", 4, 11,
        .processConfig(.unknownToken("services", suggestion: "services:NAME"))
      ),
      ("version: 0.1\nenv:\n- name: A\n  value: $(services:a.b.c)\n", 4, 10, .processConfig(.invalidService("a.b.c"))),
      ("version: 0.1\nenv:\n- name: A\n  value: $(services:a:1:2)\n", 4, 10, .processConfig(.invalidService("a:1:2"))),
      ("version: 0.1\nenv:\n- name: A\n  value: $(services:a:x)\n", 4, 10, .processConfig(.invalidPort("x"))),
      ("version: 0.1\nenv:\n- name: A\n  value: $(services:)\n", 4, 10, .processConfig(.invalidService(""))),
      (
        "version: 0.1\nenv:\n- name: A\n  value: $(externalendpoints:h)\n", 4, 10, .processConfig(.invalidEndpoint("h"))
      ),
      ("version: 0.1\nenv:\n- name: A\n  value: $(externalendpoints:h:0)\n", 4, 10, .processConfig(.invalidPort("0"))),
      (
        "version: 0.1\nenv:\n- name: A\n  value: $(externalendpoints:h:65536)\n", 4, 10,
        .processConfig(.invalidPort("65536"))
      ),
      ("version: 0.1\nenv:\n- name: A\n  value: $(externalendpoints:h:1,)\n", 4, 10, .processConfig(.invalidPort(""))),
      (
        "version: 0.1\nenv:\n- name: A\n  value: $(externalendpoints:h/x:1)\n", 4, 10,
        .processConfig(.invalidEndpoint("h/x:1"))
      ),
      (
        "version: 0.1\nenv:\n- name: A\n  value: $(externalendpoints:::1:80)\n", 4, 10,
        .processConfig(.invalidEndpoint("::1:80"))
      ),
      ("version: 0.1\nenv:\n- name: A\n  value: $(volumeMounts:a/b)\n", 4, 10, .invalidVolumeName("a/b")),
      ("version: 0.1\nvolumeMounts:\n- {name: a, localPath: /x/../y}\n", 3, 24, .invalidMountPath("/x/../y")),
      ("version: 0.1\nvolumeMounts:\n- {name: a, localPath: /}\n", 3, 24, .invalidMountPath("/")),
      ("version: 0.1\nvolumeMounts:\n- {name: a, localPath: 'C:\\x'}\n", 3, 24, .windowsPath("C:\\x")),
      (
        "version: 0.1\nvolumeMounts:\n- {name: a, localPath: /x}\n- {name: a, localPath: /y}\n", 4, 10,
        .processConfig(.volumeNamedTwice("a"))
      ),
      (
        "version: 0.1\nenableFeatures:\n- ManagedIdentity\n", 3, 3,
        .processConfig(.unsupportedFeature("ManagedIdentity"))
      ),
      (
        "version: 0.1\nenableFeatures: [probes]\n", 2, 18,
        .processConfig(.unsupportedFeature("probes"))
      ),
      (
        "version: 0.1\nenableFeatures: [Probe]\n", 2, 18,
        .processConfig(.unsupportedFeature("Probe"))
      ),
      ("version: 0.1\nversion: 0.1\n", 2, 1, .yaml(.duplicateKey("version", first: .init(line: 1, column: 1)))),
      ("version: 0.1\n---\nversion: 0.1\n", 2, 1, .yaml(.severalDocuments)),
    ] as [(String, Int, Int, LocalEnvError.Reason)])
  func `A mistake in KubernetesLocalProcessConfig.yaml is reported with its place`(
    text: String, line: Int, column: Int, reason: LocalEnvError.Reason
  ) {
    let problem = LocalEnvError.Problem(position: place(line, column, in: "f.yaml"), reason: reason)
    #expect(throws: LocalEnvError([problem])) { try parse(text) }
  }

  @Test func `All mistakes in the YAML file are reported at once, also those in quoted and folded text`() throws {
    let error = try #require(throws: LocalEnvError.self) {
      try parse(
        """
        envs: []
        env:
        - name: A
          value: "a\\n $(services:X) $(nope)"
        - {value: b}
        - name: C
          value: >
            folded $$(no token)
            $(externalendpoints:h)
        volumeMounts:
        - {name: x, localPath: "D:\\\\data"}
        enableFeatures: [ManagedIdentity, Nonsense]
        """)
    }
    #expect(
      error.description == """
        f.yaml has 9 mistakes
        f.yaml:1:1: there is no option 'envs'; the options are version, env, volumeMounts, enableFeatures; did \
        you mean 'env'?
        f.yaml:1:1: the file does not say its version; begin it with the line 'version: 0.1'
        f.yaml:4:15: 'X' names no service; write NAME or NAME.NAMESPACE, of lower-case letters, digits and '-', and \
        perhaps :PORT,PORT
        f.yaml:4:29: '$(nope)' is not known; known are $(volumeMounts:NAME), $(services:NAME), \
        $(services:NAME.NAMESPACE) and $(externalendpoints:HOST:PORT); write $$( where you mean the characters $(
        f.yaml:5:3: env[1] must have 'name'
        f.yaml:9:5: 'h' is no host with ports; write HOST:PORT or HOST:PORT,PORT; HOST may be no IPv6 address
        f.yaml:11:24: 'D:\\data' is a path of Windows; devrun runs on Linux; write an absolute path: /...
        f.yaml:12:18: the feature ManagedIdentity is not supported; devrun has no endpoint for tokens of its own; \
        remove it; if the pod gets its tokens from the node's metadata service, name that in env with \
        $(externalendpoints:169.254.169.254:80)
        f.yaml:12:35: there is no feature 'Nonsense'; devrun has none that a file could enable; remove it
        """)
  }
}
