import DevrunCore
import DevrunKube
import DevrunSystem
import Testing

@testable import DevrunSession

@Suite("Secrets of a container's environment")
struct ContainerSecretsTests {
  private static let pod: KubeObject = [
    "spec": [
      "containers": [
        [
          "name": "app", "envFrom": [["secretRef": ["name": "all"]]],
          "env": [
            ["name": "PLAIN", "value": "in the pod"],
            ["name": "KEYED", "valueFrom": ["secretKeyRef": ["name": "one", "key": "k"]]],
          ],
        ]
      ]
    ]
  ]

  @Test(
    arguments: [
      ("PLAIN", "in the pod", false), ("KEYED", "keyed-1", true), ("OTHER", "hunter33x", true),
      ("CATALINA_OPTS", "-Ddb.pw=hunter22", true), ("BUNDLE_GEMS__CORP", "user:ghp9secret", true),
      ("NODE_OPTIONS", "--max-old-space-size=4096", true), ("JAVA_HOME", "/usr/lib/jvm/17", false),
      ("PYTHONPATH", "/srv/app:/srv/lib", false), ("GOPATH", "/go secret", true), ("HOME", "/root", false),
      ("API_PORT", "tcp://10.0.0.1:80", false),
    ])
  func `A variable that may come from a Secret is one, unless it names places of the image`(
    name: String, value: String, isSecret: Bool
  ) {
    let environment: EnvironmentVariables = [RawString(name): RawString(value)]
    let secrets = SecretMask.secrets(in: environment, of: Self.pod, container: "app")
    #expect(secrets == (isSecret ? [RawString(value)] : []))
  }
}
