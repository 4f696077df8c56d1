import DevrunCore
import DevrunKube
import Testing

@testable import Minicluster

@Suite("Defaults in the minicluster")
struct StoreDefaultsTests {
  private let store = ObjectStore()

  @Test func `A Deployment gets the defaults of the API server`() throws {
    let deployment: KubeObject = [
      "metadata": ["name": "big"],
      "spec": [
        "selector": ["matchLabels": ["app": "big"]],
        "template": [
          "metadata": ["labels": ["app": "big"], "creationTimestamp": nil],
          "spec": [
            "serviceAccountName": "default", "nodeSelector": [:],
            "containers": [
              [
                "name": "c", "image": "x", "args": [], "envFrom": nil,
                "env": [["name": "P", "valueFrom": ["fieldRef": ["fieldPath": "metadata.name"]]]],
                "ports": [["containerPort": 80]], "resources": ["limits": ["memory": "64Mi"]],
                "readinessProbe": ["httpGet": ["port": 80]],
                "lifecycle": ["preStop": ["httpGet": ["port": 80, "path": "/end"]]],
              ]
            ],
            "volumes": [
              ["name": "e"], ["name": "c", "configMap": ["name": "c"]], ["name": "s", "secret": ["secretName": "s"]],
              ["name": "h", "hostPath": ["path": "/"]],
              [
                "name": "p",
                "projected": [
                  "sources": [
                    ["serviceAccountToken": ["path": "token"]],
                    ["downwardAPI": ["items": [["path": "n", "fieldRef": ["fieldPath": "metadata.name"]]]]],
                  ]
                ],
              ],
            ],
          ],
        ],
      ],
    ]
    let made = try store.create(deployment, of: .deployment, by: "test")
    #expect(
      made.spec == [
        "progressDeadlineSeconds": 600, "replicas": 1, "revisionHistoryLimit": 10,
        "selector": ["matchLabels": ["app": "big"]],
        "strategy": ["type": "RollingUpdate", "rollingUpdate": ["maxSurge": "25%", "maxUnavailable": "25%"]],
        "template": [
          "metadata": ["labels": ["app": "big"]],
          "spec": [
            "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler",
            "securityContext": [:], "terminationGracePeriodSeconds": 30, "serviceAccount": "default",
            "serviceAccountName": "default",
            "containers": [
              [
                "name": "c", "image": "x", "imagePullPolicy": "Always",
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                "env": [["name": "P", "valueFrom": ["fieldRef": ["apiVersion": "v1", "fieldPath": "metadata.name"]]]],
                "ports": [["containerPort": 80, "protocol": "TCP"]],
                "resources": ["limits": ["memory": "64Mi"]],
                "readinessProbe": [
                  "httpGet": ["port": 80, "path": "/", "scheme": "HTTP"], "timeoutSeconds": 1, "periodSeconds": 10,
                  "successThreshold": 1, "failureThreshold": 3,
                ],
                "lifecycle": ["preStop": ["httpGet": ["port": 80, "path": "/end", "scheme": "HTTP"]]],
              ]
            ],
            "volumes": [
              ["name": "e", "emptyDir": [:]], ["name": "c", "configMap": ["name": "c", "defaultMode": 420]],
              ["name": "s", "secret": ["secretName": "s", "defaultMode": 420]],
              ["name": "h", "hostPath": ["path": "/", "type": ""]],
              [
                "name": "p",
                "projected": [
                  "defaultMode": 420,
                  "sources": [
                    ["serviceAccountToken": ["path": "token", "expirationSeconds": 3600]],
                    [
                      "downwardAPI": [
                        "items": [
                          ["path": "n", "fieldRef": ["apiVersion": "v1", "fieldPath": "metadata.name"]]
                        ]
                      ]
                    ],
                  ],
                ],
              ],
            ],
          ],
        ],
      ])
    #expect(made.status == [:])
  }

  @Test(arguments: [
    ("web", "Always"), ("web:latest", "Always"), ("web:1", "IfNotPresent"), ("host:5000/web", "Always"),
    ("host:5000/web:1", "IfNotPresent"), ("web@sha256:12", "IfNotPresent"),
  ])
  func `An image that may change is pulled always`(_ image: String, _ policy: String) throws {
    let pod = try store.create(
      StoreFixture.pod("web", spec: ["containers": [["name": "web", "image": .string(image)]]]), of: .pod, by: "test")
    #expect(pod.containers.first?.json["imagePullPolicy"]?.string == policy)
  }

  @Test func `A pod asks for what it is limited to, and its quality of service follows`() throws {
    func pod(_ name: String, _ resources: JSONValue) throws -> KubeObject {
      try store.create(
        StoreFixture.pod(name, spec: ["containers": [["name": "web", "image": "x", "resources": resources]]]),
        of: .pod, by: "test")
    }
    let guaranteed = try pod("a", ["limits": ["cpu": "1", "memory": "1Gi"]])
    #expect(guaranteed.containers.first?.json[path: "resources", "requests"] == ["cpu": "1", "memory": "1Gi"])
    #expect(guaranteed.status["qosClass"] == "Guaranteed")
    #expect(try pod("b", ["limits": ["memory": "1Gi"]]).status["qosClass"] == "Burstable")
    #expect(try pod("c", [:]).status["qosClass"] == "BestEffort")
    #expect(guaranteed.spec["enableServiceLinks"] == true)
  }

  @Test func `The status that a client sends with a new object is not kept`() throws {
    var pod = StoreFixture.pod("web")
    pod.json["status"] = ["phase": "Running"]
    #expect(try store.create(pod, of: .pod, by: "test").status["phase"] == "Pending")
    let node: KubeObject = ["metadata": ["name": "minicluster"], "status": ["capacity": ["cpu": "2"]]]
    #expect(try store.create(node, of: .node, by: "kubelet").status == ["capacity": ["cpu": "2"]])
  }

  @Test func `A Service's target port is its own port unless it names another`() throws {
    let service = try store.create(
      [
        "metadata": ["name": "web"],
        "spec": [
          "selector": ["app": "web"],
          "ports": [["port": 80, "name": "a"], ["port": 81, "targetPort": "http", "name": "b"]],
        ],
      ], of: .service, by: "test")
    #expect(
      service.spec == [
        "type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster", "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack", "selector": ["app": "web"],
        "ports": [
          ["port": 80, "targetPort": 80, "name": "a", "protocol": "TCP"],
          ["port": 81, "targetPort": "http", "name": "b", "protocol": "TCP"],
        ],
      ])
  }

  @Test func `A Secret's texts become data`() throws {
    let made = try store.create(
      ["metadata": ["name": "s"], "data": ["a": "MQ==", "b": "Mg=="], "stringData": ["b": "3"]], of: .secret,
      by: "test")
    #expect(made.json["data"] == ["a": "MQ==", "b": "Mw=="])
    #expect(made.json["stringData"] == nil)
    #expect(made.json["type"] == "Opaque")
    let failure = #expect(throws: APIFailure.self) {
      try store.create(["metadata": ["name": "t"], "data": ["a": "?"]], of: .secret, by: "test")
    }
    #expect(failure?.status.code == 400)
  }
}
