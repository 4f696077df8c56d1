import DevrunConfig
import DevrunCore
import DevrunKube
import DevrunSystem
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import Minicluster

@Suite("The minicluster's API server")
struct APIServerTests {
  private static let pod: KubeObject = [
    "metadata": ["name": "web", "namespace": "default"],
    "spec": ["nodeName": "minicluster", "containers": [["name": "app", "image": "busybox"]]],
  ]
  private static let map: KubeObject = ["metadata": ["name": "settings"], "data": ["colour": "blue"]]
  private static let maps = ResourcePath.configMaps(in: "default")

  @Test func `An administrator makes, reads, changes and deletes objects`() async throws {
    try await APIFixture.run { fixture in
      try await fixture.withClient(fixture.access()) { client in
        let path = Self.maps.named("settings")
        let made = try await client.create(Self.map, in: Self.maps)
        #expect(made.kind == "ConfigMap" && made.uid != nil && made.namespace == "default")
        #expect(try await client.get(path) == made)
        let changed = try await client.patch(path, [.replace(["data", "colour"], "red")])
        #expect(changed.json[path: "data", "colour"] == "red")
        let listed = try await client.list(Self.maps)
        #expect(listed.items == [changed])
        #expect(listed.resourceVersion == changed.resourceVersion)
        let old = await #expect(throws: KubeError.self) {
          try await client.patch(path, [.ifUnchanged(since: made), .remove(["data"])])
        }
        #expect(old?.status?.code == 409)
        try await client.delete(path, uid: made.uid)
        let gone = await #expect(throws: KubeError.self) { try await client.get(path) }
        #expect(gone?.status?.message == "configmaps \"settings\" not found")
      }
    }
  }

  @Test func `Changes are recorded under the name of their field manager`() async throws {
    try await APIFixture.run { fixture in
      try await fixture.withClient(fixture.access()) { client in
        let made = try await client.create(Self.map, in: Self.maps)
        #expect(made.managedFields?.array?.first?["manager"]?.string == KubeClient.fieldManager)
      }
    }
  }

  @Test func `A list comes in pages that have the version of the first page`() async throws {
    try await APIFixture.run { fixture in
      for number in 0..<501 {
        var map = Self.map
        map.metadata["name"] = .string("map-\(number)")
        map.metadata["namespace"] = "default"
        try fixture.store.create(map, of: .configMap, by: "test")
      }
      let version = fixture.store.resourceVersion
      try await fixture.withClient(fixture.access()) { client in
        // The client asks for 500 objects at a time.
        let list = try await client.list(Self.maps)
        #expect(Set(list.items.map(\.name)).count == 501)
        #expect(list.resourceVersion == String(version))
        let partial = try await client.list(Self.maps, metadataOnly: true)
        #expect(partial.items.allSatisfy { $0.json["data"] == nil && !$0.name.isEmpty })
      }
    }
  }

  @Test func `A watch brings what there is and then each change`() async throws {
    try await APIFixture.run { fixture in
      try await fixture.withClient(fixture.access()) { client in
        let made = try await client.create(Self.map, in: Self.maps)
        var events = client.watch(Self.maps, labelSelector: "!hidden").makeAsyncIterator()
        #expect(try await events.next() == .snapshot([made]))
        let path = Self.maps.named("settings")
        let changed = try await client.patch(path, [.add(["data", "size"], "2")])
        #expect(try await events.next() == .modified(changed))
        let hidden = try await client.patch(path, [.add(["metadata", "labels"], ["hidden": ""])])
        #expect(try await events.next() == .deleted(hidden))
        let shown = try await client.patch(path, [.remove(["metadata", "labels"])])
        #expect(try await events.next() == .added(shown))
      }
    }
  }

  @Test func `A watch from a version that is forgotten begins anew`() async throws {
    try await APIFixture.run { fixture in
      try await fixture.withClient(fixture.access()) { client in
        let made = try await client.create(Self.map, in: Self.maps)
        let start = made.resourceVersion
        var last = made
        for number in 0..<2_100 {
          last = try fixture.store.update(.configMap, in: "default", named: "settings", by: "test") {
            $0.json["data"] = ["number": .string(String(number))]
          }
        }
        var events = client.persistentWatch(
          ResourceCollection(Self.maps), from: start, onCondition: { _ in }
        ).makeAsyncIterator()
        let first = try await events.next()
        #expect(first == .snapshot([last]))
      }
    }
  }

  @Test func `A developer may edit objects in one namespace only`() async throws {
    try await APIFixture.run { fixture in
      try await fixture.withClient(fixture.access("developer.kubeconfig")) { client in
        try await client.create(Self.map, in: Self.maps)
        #expect(try await client.may("patch", .deployments(in: "default").named("web")))
        #expect(try await client.may("create", .pods(in: "default").named("web").subresource("portforward")))
        #expect(try await !client.may("create", .pods(in: "kube-system")))
        #expect(try await !client.may("list", .nodes))
        let error = await #expect(throws: KubeError.self) {
          try await client.get(.pods(in: "kube-system").named("dns"))
        }
        #expect(
          error?.status?.message
            == "pods \"dns\" is forbidden: User \"developer\" cannot get resource \"pods\" in API group \"\" in the "
            + "namespace \"kube-system\"")
        #expect(error?.status?.refusal == .missingRight)
      }
    }
  }

  @Test func `Credentials of another cluster are refused`() async throws {
    try await APIFixture.run { fixture in
      let other = try ClusterIdentities()
      try other.writeKubeconfigs(to: fixture.folder.path, server: "https://127.0.0.1:\(fixture.port)")
      var access = try fixture.access()
      access.certificateAuthority = Array(fixture.identities.authority.utf8)
      access.source = nil
      try await fixture.withClient(access) { client in
        let error = await #expect(throws: KubeError.self) { try await client.list(Self.maps) }
        guard case .unauthorized = error else {
          Issue.record("\(String(describing: error))")
          return
        }
      }
    }
  }

  @Test func `A service account's token stands for its user`() async throws {
    try await APIFixture.run { fixture in
      let token = fixture.identities.token(
        TokenRequest(namespace: "shop", serviceAccount: "default", audience: nil, expirationSeconds: 600))
      var access = try fixture.access()
      access.credentials = Credentials(authorization: .token(token))
      try await fixture.withClient(access) { client in
        let error = await #expect(throws: KubeError.self) { try await client.list(.pods(in: "shop")) }
        #expect(
          error?.status?.message
            == "pods is forbidden: User \"system:serviceaccount:shop:default\" cannot list resource \"pods\" in API "
            + "group \"\" in the namespace \"shop\"")
      }
    }
  }

  @Test func `A log is followed until the client gives up`() async throws {
    try await APIFixture.run { fixture in
      try fixture.store.create(Self.pod, of: .pod, by: "test")
      var happened = fixture.node.events.makeAsyncIterator()
      try await fixture.withClient(fixture.access()) { client in
        let reading = Task {
          for try await line in try await client.followLog(namespace: "default", pod: "web", container: "app") {
            return line
          }
          return LogLine(time: "", text: "")
        }
        let opened = await happened.next()
        #expect(opened == .logOpened(PodName(namespace: "default", name: "web"), container: "app", follows: true))
        fixture.node.write("2026-11-26T16:00:00.5Z a line\n")
        let line = try await reading.value
        #expect(line == LogLine(time: "2026-11-26T16:00:00.5Z", text: "a line"))
      }
      // The client has closed its connection, while the log is quiet.
      #expect(await happened.next() == .logEnded)
    }
  }

  @Test func `The server ends while a client waits`() async throws {
    let (client, reading) = try await APIFixture.run { fixture in
      try fixture.store.create(Self.pod, of: .pod, by: "test")
      let client = try KubeClient(
        access: fixture.access(), environment: [:], group: MultiThreadedEventLoopGroup.singleton)
      let (texts, continuation) = AsyncStream.makeStream(of: String.self)
      let reading = Task {
        for try await line in try await client.followLog(namespace: "default", pod: "web", container: "app") {
          continuation.yield(line.text)
        }
      }
      var happened = fixture.node.events.makeAsyncIterator()
      #expect(await happened.next() != nil)
      fixture.node.write("2026-11-26T16:00:00Z here\n")
      var iterator = texts.makeAsyncIterator()
      #expect(await iterator.next() == "here")
      return (client, reading)
    }
    await #expect(throws: KubeError.self) { try await reading.value }
    try await client.shutdown()
  }

  @Test(.timeLimit(.minutes(1)))
  func `The server ends while a connection is silent`() async throws {
    let silent = try await APIFixture.run { fixture in
      let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connect(host: "127.0.0.1", port: fixture.port).get()
      // The server takes connections in their order: this one comes after the silent one.
      try await fixture.withClient(fixture.access()) { client in _ = try await client.list(Self.maps) }
      return channel
    }
    try await silent.closeFuture.get()
  }
}
