import DevrunCore
import DevrunKube
import Testing

@testable import Minicluster

/// Objects that the tests of the store begin with.
enum StoreFixture {
  static let podSpec: JSONValue = ["containers": [["name": "web", "image": "shop/web:1"]]]

  static func pod(_ name: String, labels: [String: String] = [:], spec: JSONValue = podSpec) -> KubeObject {
    var pod: KubeObject = ["metadata": ["name": .string(name)], "spec": spec]
    if !labels.isEmpty { pod.labels = labels }
    return pod
  }

  static func deployment(_ name: String, replicas: Int64 = 1) -> KubeObject {
    [
      "metadata": ["name": .string(name), "labels": ["app": .string(name)]],
      "spec": [
        "replicas": .int(replicas), "selector": ["matchLabels": ["app": .string(name)]],
        "template": ["metadata": ["labels": ["app": .string(name)]], "spec": podSpec],
      ],
    ]
  }
}

@Suite("The minicluster's object store")
struct StoreTests {
  private let store = ObjectStore()

  /// The failure of a call, which must fail.
  private func failure(_ body: () throws -> Void) -> APIStatus? {
    #expect(throws: APIFailure.self, performing: body)?.status
  }

  @Test func `A new object gets a uid, a version, a time and its namespace`() throws {
    let pod = try store.create(StoreFixture.pod("web"), of: .pod, by: "test")
    #expect(pod.namespace == "default")
    #expect(pod.uid?.count == 36)
    #expect(pod.resourceVersion == String(store.resourceVersion))
    #expect(pod.creationTimestamp.contains(#/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/#))
    #expect(pod.status["phase"] == "Pending")
    #expect(store.object(.pod, in: "default", named: "web") == pod)
    #expect(store.object(.pod, in: "other", named: "web") == nil)
  }

  @Test func `A second object of the same name is refused in the API's words`() throws {
    try store.create(StoreFixture.deployment("web"), of: .deployment, by: "test")
    let status = failure { try store.create(StoreFixture.deployment("web"), of: .deployment, by: "test") }
    #expect(status?.code == 409)
    #expect(status?.reason == "AlreadyExists")
    #expect(status?.message == "deployments.apps \"web\" already exists")
  }

  @Test func `A generated name begins with its prefix and is another each time`() throws {
    var names: Set<String> = []
    for _ in 0..<50 {
      let made = try store.create(
        ["metadata": ["generateName": "web-"], "spec": StoreFixture.podSpec], of: .pod, by: "test")
      #expect(made.name.contains(#/^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/#))
      names.insert(made.name)
    }
    #expect(names.count == 50)
  }

  @Test func `An object in a namespace that is not there is refused`() throws {
    var pod = StoreFixture.pod("web")
    pod.metadata["namespace"] = "shop"
    #expect(failure { try store.create(pod, of: .pod, by: "test") }?.message == "namespaces \"shop\" not found")
    try store.create(["metadata": ["name": "shop"]], of: .namespace, by: "test")
    try store.create(pod, of: .pod, by: "test")
    try store.delete(.namespace, in: nil, named: "shop")
    let status = failure { try store.create(pod, of: .pod, by: "test") }
    #expect(
      status?.message
        == "pods \"web\" is forbidden: unable to create new content in namespace shop because it is being terminated")
  }

  @Test func `A namespace stays until its own finalizer is gone`() throws {
    try store.create(["metadata": ["name": "shop"]], of: .namespace, by: "test")
    let terminating = try store.delete(.namespace, in: nil, named: "shop")
    #expect(terminating.isTerminating)
    #expect(terminating.status["phase"] == "Terminating")
    try store.update(.namespace, in: nil, named: "shop", by: "test") { $0.spec["finalizers"] = nil }
    #expect(store.object(.namespace, in: nil, named: "shop") == nil)
    #expect(
      failure { try store.delete(.namespace, in: nil, named: "default") }?.message
        == "namespaces \"default\" is forbidden: this namespace may not be deleted")
  }

  @Test func `A change with an old version is refused as a conflict, and one without a version is not`() throws {
    let first = try store.create(StoreFixture.deployment("web"), of: .deployment, by: "test")
    try store.update(.deployment, in: "default", named: "web", by: "test") { $0.labels["a"] = "1" }
    let status = failure {
      try store.update(.deployment, in: "default", named: "web", by: "test") { $0 = first }
    }
    #expect(status?.code == 409)
    #expect(
      status?.message == "Operation cannot be fulfilled on deployments.apps \"web\": the object has been modified; "
        + "please apply your changes to the latest version and try again")
    let forced = try store.update(.deployment, in: "default", named: "web", by: "test") { object in
      object = first
      object.metadata["resourceVersion"] = nil
    }
    #expect(forced.labels == ["app": "web"])
  }

  @Test func `A change that is lost to another one is made again on the newer object`() throws {
    try store.create(StoreFixture.deployment("web"), of: .deployment, by: "test")
    var calls = 0
    let changed = try store.update(.deployment, in: "default", named: "web", by: "one") {
      (object) throws(APIFailure) in
      calls += 1
      if calls == 1 {
        try store.update(.deployment, in: "default", named: "web", by: "other") { $0.labels["other"] = "1" }
      }
      object.labels["one"] = "1"
    }
    #expect(calls == 2)
    #expect(changed.labels == ["app": "web", "one": "1", "other": "1"])
  }

  @Test func `A change of another object's uid is refused`() throws {
    try store.create(StoreFixture.deployment("web"), of: .deployment, by: "test")
    let status = failure {
      try store.update(.deployment, in: "default", named: "web", by: "test") { $0.metadata["uid"] = "1" }
    }
    #expect(
      status?.message == "Deployment.apps \"web\" is invalid: metadata.uid: Invalid value: \"1\": field is immutable")
    #expect(
      failure { try store.update(.deployment, in: "default", named: "web", by: "test", uid: "1") { _ in } }?.code == 409
    )
  }

  @Test func `A change to nothing new is no new version`() throws {
    let made = try store.create(StoreFixture.deployment("web"), of: .deployment, by: "test")
    let same = try store.update(.deployment, in: "default", named: "web", by: "other") { object in
      object.spec["template"] = made.spec["template"]
      object.metadata["annotations"] = [:]
    }
    #expect(same == made)
    #expect(made.resourceVersion == String(store.resourceVersion))
  }

  @Test func `The generation counts changes of the spec and not those of the status`() throws {
    try store.create(StoreFixture.deployment("web"), of: .deployment, by: "test")
    func generation(_ part: ObjectStore.Part = .main, _ change: (inout KubeObject) -> Void) throws -> Int {
      try store.update(.deployment, in: "default", named: "web", part: part, by: "test", change).generation
    }
    #expect(try generation { $0.labels["a"] = "b" } == 1)
    #expect(try generation { $0.spec["replicas"] = 2 } == 2)
    #expect(try generation(.scale) { $0.spec["replicas"] = 3 } == 3)
    #expect(try generation(.status) { $0.json["status"] = ["replicas": 3] } == 3)
    #expect(try generation(.status) { $0.annotations["deployment.kubernetes.io/revision"] = "1" } == 3)
    #expect(try generation { $0.annotations["note"] = "x" } == 4)
    #expect(try generation { $0.metadata["generation"] = 9 } == 4)
  }

  @Test func `Each part of an object changes alone`() throws {
    try store.create(StoreFixture.deployment("web"), of: .deployment, by: "test")
    func change(_ part: ObjectStore.Part) throws -> KubeObject {
      try store.update(.deployment, in: "default", named: "web", part: part, by: "test") { object in
        object.spec["replicas"] = 5
        object.spec["paused"] = true
        object.json["status"] = ["replicas": 5]
      }
    }
    let status = try change(.status)
    #expect(status.status["replicas"] == 5)
    #expect(status.spec["replicas"] == 1)
    let scaled = try change(.scale)
    #expect(scaled.spec["replicas"] == 5)
    #expect(scaled.spec["paused"] == nil)
    try store.update(.deployment, in: "default", named: "web", part: .status, by: "test") { $0.json["status"] = [:] }
    let main = try change(.main)
    #expect(main.spec["paused"] == true)
    #expect(main.status == [:])
  }

  @Test func `A list is ordered, of one namespace or of all, and has the store's version`() throws {
    try store.create(["metadata": ["name": "shop"]], of: .namespace, by: "test")
    for (namespace, name) in [("shop", "a"), ("default", "c"), ("default", "b")] {
      var pod = StoreFixture.pod(name)
      pod.metadata["namespace"] = .string(namespace)
      try store.create(pod, of: .pod, by: "test")
    }
    #expect(store.list(.pod, in: nil).objects.map(\.name) == ["b", "c", "a"])
    #expect(store.list(.pod, in: "default").objects.map(\.name) == ["b", "c"])
    #expect(store.list(.pod, in: "default", where: Selection(name: "c")).objects.map(\.name) == ["c"])
    #expect(store.list(.service, in: nil).objects.isEmpty)
    #expect(store.list(.service, in: nil).resourceVersion == store.resourceVersion)
  }

  @Test func `A dry run is checked and changes nothing`() throws {
    let made = try store.create(StoreFixture.deployment("web"), of: .deployment, by: "test")
    let version = store.resourceVersion
    #expect(try store.create(StoreFixture.deployment("new"), of: .deployment, by: "test", isDryRun: true).uid != nil)
    #expect(
      failure { try store.create(StoreFixture.deployment("web"), of: .deployment, by: "test", isDryRun: true) }?.code
        == 409)
    let changed = try store.update(.deployment, in: "default", named: "web", by: "test", isDryRun: true) {
      $0.spec["replicas"] = 7
    }
    #expect(changed.generation == 2)
    var deletion = ObjectStore.Deletion()
    deletion.isDryRun = true
    try store.delete(.deployment, in: "default", named: "web", deletion)
    #expect(store.object(.deployment, in: "default", named: "web") == made)
    #expect(store.object(.deployment, in: "default", named: "new") == nil)
    #expect(store.resourceVersion == version)
  }

  @Test func `Admission sees a new object with its defaults and may change or refuse it`() throws {
    let strict = ObjectStore { (object, kind, store) throws(APIFailure) in
      if kind == .pod, object.name == "no" { throw .forbidden(kind, object.name, "not here") }
      #expect(object.spec["dnsPolicy"] == "ClusterFirst")
      object.spec["serviceAccountName"] = "default"
    }
    let pod = try strict.create(StoreFixture.pod("web"), of: .pod, by: "test")
    #expect(pod.spec["serviceAccount"] == "default")
    #expect(
      failure { try strict.create(StoreFixture.pod("no"), of: .pod, by: "test") }?.message
        == "pods \"no\" is forbidden: not here")
  }
}
