import DevrunCore
import NIOHTTP1
import Testing

@testable import DevrunKube

@Suite("Watches")
struct WatchTests {
  private static func pod(_ name: String, _ version: String) -> JSONValue {
    ["kind": "Pod", "metadata": ["name": .string(name), "resourceVersion": .string(version)]]
  }

  private static func list(_ version: String, _ pods: JSONValue...) -> [Step] {
    .json(200, ["kind": "PodList", "metadata": ["resourceVersion": .string(version)], "items": .array(pods)])
  }

  private static func line(_ type: String, _ object: JSONValue) -> String {
    let line: JSONValue = ["type": .string(type), "object": object]
    return String(decoding: line.text, as: UTF8.self) + "\n"
  }

  private static func isWatch(_ request: SeenRequest) -> Bool { request.uri.contains("watch=true") }

  private static func version(_ request: SeenRequest) -> String? {
    request.uri.split(separator: "&").first { $0.hasPrefix("resourceVersion=") }.map { String($0.dropFirst(16)) }
  }

  @Test func `A watch reports the objects and each change despite ends, breaks and expired versions`() async throws {
    try await withServer { request, index in
      guard Self.isWatch(request) else {
        return index == 0 ? Self.list("1", Self.pod("a", "1")) : Self.list("20", Self.pod("c", "20"))
      }
      switch Self.version(request) {
      case "1":
        // Two events and a bookmark in pieces; then the server's time is over.
        let text =
          Self.line("ADDED", Self.pod("b", "2")) + Self.line("MODIFIED", Self.pod("b", "3"))
          + Self.line("BOOKMARK", Self.pod("", "9"))
        let middle = text.index(text.startIndex, offsetBy: 30)
        return [.head(200, [:]), .chunk(String(text[..<middle])), .chunk(String(text[middle...])), .end]
      case "9":
        // The connection breaks in the midst of a line.
        return [.head(200, [:]), .chunk(Self.line("DELETED", Self.pod("a", "10")) + "{\"type\":"), .close]
      case "10":
        return [
          .head(200, [:]),
          .chunk(Self.line("ERROR", statusObject(410, reason: "Expired", message: "too old resource version"))), .end,
        ]
      default: return [.head(200, [:]), .chunk(Self.line("ADDED", Self.pod("d", "21")))]
      }
    } _: { client, server in
      var events: [WatchEvent] = []
      for try await event in client.watch(.pods(in: "shop"), labelSelector: "a=b") {
        events.append(event)
        if events.count == 6 { break }
      }
      #expect(
        events == [
          .snapshot([KubeObject(Self.pod("a", "1"))]), .added(KubeObject(Self.pod("b", "2"))),
          .modified(KubeObject(Self.pod("b", "3"))),
          .deleted(KubeObject(Self.pod("a", "10"))), .snapshot([KubeObject(Self.pod("c", "20"))]),
          .added(KubeObject(Self.pod("d", "21"))),
        ])
      let watches = server.requests.filter(Self.isWatch)
      #expect(watches.map(Self.version) == ["1", "9", "10", "20"])
      #expect(
        watches.allSatisfy {
          $0.uri.contains("labelSelector=a%3Db") && $0.uri.contains("allowWatchBookmarks=true")
            && $0.uri.contains("timeoutSeconds=290")
        })
    }
  }

  @Test func `A watch lists again when the server answers with status 410`() async throws {
    try await withServer { request, index in
      switch index {
      case 0: Self.list("1")
      case 1: .status(410, reason: "Gone", message: "too old")
      case 2: Self.list("5", Self.pod("a", "4"))
      default: [.head(200, [:])]
      }
    } _: { client, _ in
      var events = client.watch(.pods(in: "shop")).makeAsyncIterator()
      let event1 = try await events.next()
      #expect(event1 == .snapshot([]))
      let event2 = try await events.next()
      #expect(event2 == .snapshot([KubeObject(Self.pod("a", "4"))]))
    }
  }

  @Test(arguments: [500, 503, 429])
  func `A watch is retried while the server is unavailable`(status: Int) async throws {
    try await withServer { request, index in
      switch index {
      case 0: Self.list("1")
      case 1...6: .status(status, reason: "", message: "away", ["Retry-After": "3600"])
      default: [.head(200, [:]), .chunk(Self.line("ADDED", Self.pod("a", "2")))]
      }
    } _: { client, _ in
      var events = client.watch(.pods(in: "shop")).makeAsyncIterator()
      let event3 = try await events.next()
      #expect(event3 == .snapshot([]))
      let event4 = try await events.next()
      #expect(event4 == .added(KubeObject(Self.pod("a", "2"))))
    }
  }

  @Test(arguments: [403, 404])
  func `A watch that is forbidden or not found fails`(status: Int) async throws {
    try await withServer { request, index in
      index == 0 ? Self.list("1") : .status(status, reason: "", message: "no")
    } _: { client, _ in
      var events = client.watch(.pods(in: "shop")).makeAsyncIterator()
      let event5 = try await events.next()
      #expect(event5 == .snapshot([]))
      let error = try await caught(KubeError.self) { _ = try await events.next() }
      #expect(error?.status?.code == status)
      #expect(error?.message.what == "the cluster refused to watch pods in namespace shop")
    }
  }

  @Test func `A watch of one object requests only its name`() async throws {
    try await withServer { _, _ in
      Self.list("1")
    } _: { client, server in
      var events = client.watch(object: .pods(in: "shop").named("a")).makeAsyncIterator()
      let event6 = try await events.next()
      #expect(event6 == .snapshot([]))
      #expect(
        server.requests.first?.uri
          == "/api/v1/namespaces/shop/pods?fieldSelector=metadata.name%3Da&limit=500")
    }
  }

  @Test func `A cancelled watch closes its connection`() async throws {
    try await withServer { request, _ in
      Self.isWatch(request) ? [.head(200, [:])] : Self.list("1").map { $0 }
    } _: { client, server in
      let watch = Task {
        for try await _ in client.watch(.pods(in: "shop")) {}
      }
      var isOpen = false
      for await event in server.events {
        switch event {
        case .request(let request) where Self.isWatch(request):
          isOpen = true
          watch.cancel()
        case .request: continue
        case .connectionClosed: break
        }
        if case .connectionClosed = event { break }
      }
      #expect(isOpen)
      await #expect(throws: CancellationError.self) { try await watch.value }
    }
  }
}
