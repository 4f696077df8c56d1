import DevrunCore
import DevrunKube
import Testing

@testable import Minicluster

@Suite("What new objects get") struct ControlAdmissionTests {
  private static func admitted(_ pod: KubeObject, account: KubeObject? = ["kind": "ServiceAccount"]) throws
    -> KubeObject
  {
    var pod = pod
    try PodAdmission.admit(&pod) { _ in
      account
    } suffix: {
      "abcde"
    }
    return pod
  }

  private static func pod(_ spec: JSONValue = [:]) -> KubeObject {
    var pod: KubeObject = ["kind": "Pod", "metadata": ["name": "a", "namespace": "shop"], "spec": spec]
    if spec["containers"] == nil { pod.spec["containers"] = [["name": "one"], ["name": "two"]] }
    return pod
  }

  private static let mount: JSONValue = [
    "name": "kube-api-access-abcde", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true,
  ]

  @Test func `A pod gets the default account and the volume of the API's token`() throws {
    let pod = try Self.admitted(Self.pod(["initContainers": [["name": "first"]]]))
    #expect(pod.spec["serviceAccountName"] == "default")
    #expect(pod.containers.map(\.volumeMounts) == [[Self.mount], [Self.mount]])
    #expect(pod.spec["initContainers"]?.array?.first?["volumeMounts"] == [Self.mount])
    let sources = pod.volumes.first?["projected"]?["sources"]?.array ?? []
    #expect(sources.map { $0.object?.keys.first } == ["serviceAccountToken", "configMap", "downwardAPI"])
    #expect(pod.volumes.first?["name"] == "kube-api-access-abcde")
  }

  @Test func `A container that has something at the place keeps it`() throws {
    let own: JSONValue = ["name": "own", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"]
    let pod = try Self.admitted(Self.pod(["containers": [["name": "one", "volumeMounts": [own]]]]))
    #expect(pod.containers.first?.volumeMounts == [own])
    #expect(pod.volumes.isEmpty)
  }

  @Test(
    arguments: [
      (nil, nil, true), (false, nil, false), (nil, false, false), (true, false, true), (false, true, false),
    ] as [(Bool?, Bool?, Bool)])
  func `Who wants no token gets none`(pod: Bool?, account: Bool?, isMounted: Bool) throws {
    var spec: JSONValue = [:]
    spec["automountServiceAccountToken"] = pod.map(JSONValue.bool)
    var found: KubeObject = ["kind": "ServiceAccount"]
    found.json["automountServiceAccountToken"] = account.map(JSONValue.bool)
    #expect(try Self.admitted(Self.pod(spec), account: found).volumes.isEmpty != isMounted)
  }

  @Test func `An account that is not there is refused in the API's words, except the default one`() throws {
    let failure = try #require(throws: APIFailure.self) {
      try Self.admitted(Self.pod(["serviceAccountName": "nix"]), account: nil)
    }
    #expect(failure.status.code == 403)
    #expect(
      failure.status.message
        == "pods \"a\" is forbidden: error looking up service account shop/nix: serviceaccount \"nix\" not found")
    #expect(try Self.admitted(Self.pod(), account: nil).spec["serviceAccountName"] == "default")
  }

  // MARK: Services

  private static func admitted(service spec: JSONValue, taken: Set<String> = []) throws -> JSONValue {
    var service: KubeObject = ["kind": "Service", "metadata": ["name": "web"], "spec": spec]
    try ServiceAddresses().admit(&service, taken: taken)
    return service.spec
  }

  @Test func `A service gets an address that nobody has`() throws {
    #expect(try Self.admitted(service: [:])["clusterIP"] == "10.98.1.0")
    let spec = try Self.admitted(service: [:], taken: ["10.98.1.0", "10.98.1.1"])
    #expect(spec["clusterIP"] == "10.98.1.2")
    #expect(spec["clusterIPs"] == ["10.98.1.2"])
  }

  @Test func `Services that are made at the same moment get different addresses`() throws {
    let addresses = ServiceAddresses()
    var (one, two): (KubeObject, KubeObject) = (["kind": "Service"], ["kind": "Service"])
    try addresses.admit(&one, taken: [])
    try addresses.admit(&two, taken: [])
    #expect(one.spec["clusterIP"] != two.spec["clusterIP"])
  }

  @Test func `A service has the address that it asks for, or none`() throws {
    #expect(try Self.admitted(service: ["clusterIP": "10.98.0.10"])["clusterIPs"] == ["10.98.0.10"])
    #expect(try Self.admitted(service: ["clusterIP": "None"])["clusterIPs"] == ["None"])
    #expect(try Self.admitted(service: ["type": "ExternalName"])["clusterIP"] == nil)
  }

  @Test(
    arguments: [
      ("10.1.2.3", "the provided IP (10.1.2.3) is not in the valid range. The range of valid IPs is 10.98.0.0/16"),
      ("10.98.1", "not in the valid range"), ("10.98.01.2", "not in the valid range"),
      ("10.98.0.0", "not in the valid range"), ("10.98.5.5", "provided IP is already allocated"),
    ])
  func `An address that cannot be had is refused`(address: String, words: String) throws {
    let failure = try #require(throws: APIFailure.self) {
      try Self.admitted(service: ["clusterIP": .string(address)], taken: ["10.98.5.5"])
    }
    #expect(failure.status.code == 422)
    #expect(failure.status.message.hasPrefix("Service \"web\" is invalid: spec.clusterIPs: Invalid value: "))
    #expect(failure.status.message.contains(words))
  }

  // MARK: Namespaces

  @Test func `A namespace gets its account and the authority's certificate, once`() {
    let made = NamespaceController.defaults(of: "shop", certificateAuthority: "PEM", account: nil, authority: nil)
    let objects = made.compactMap { action -> KubeObject? in
      guard case .create(_, let object) = action else { return nil }
      return object
    }
    #expect(objects.map(\.name) == ["default", "kube-root-ca.crt"])
    #expect(objects.last?.json["data"] == ["ca.crt": "PEM"])
    #expect(objects.map(\.namespace) == ["shop", "shop"])
    #expect(
      NamespaceController.defaults(
        of: "shop", certificateAuthority: "PEM", account: objects.first, authority: objects.last
      ).isEmpty)
    #expect(
      NamespaceController.defaults(
        of: "shop", certificateAuthority: "other", account: objects.first, authority: objects.last
      ).count == 1)
  }
}
