import DevrunConfig
import DevrunCore
import NIOHTTP1
import Testing

@testable import DevrunKube

@Suite("API client")
struct KubeClientTests {
  private let object: KubeObject = ["metadata": ["name": "a"]]

  @Test func `Each API verb is sent with its method, path, query and body`() async throws {
    try await withServer { _, _ in
      .json(200, ["kind": "Pod"])
    } _: { client, server in
      let pod = ResourcePath.pods(in: "shop").named("a")
      _ = try await client.get(pod)
      _ = try await client.create(object, in: .pods(in: "shop"))
      _ = try await client.patch(pod, [.test(["metadata", "uid"], "1"), .remove(["spec", "a/b"])])
      _ = try await client.delete(pod, uid: "u-1", gracePeriodSeconds: 0)
      let seen = server.requests
      let path = "/api/v1/namespaces/shop/pods"
      #expect(
        seen.map { "\($0.method) \($0.uri)" } == [
          "GET \(path)/a", "POST \(path)?fieldManager=devrun", "PATCH \(path)/a?fieldManager=devrun",
          "DELETE \(path)/a",
        ])
      #expect(seen[1].json == object.json)
      #expect(seen[1].headers.first(name: "Content-Type") == "application/json")
      #expect(seen[2].headers.first(name: "Content-Type") == "application/json-patch+json")
      #expect(
        seen[2].json == [
          ["op": "test", "path": "/metadata/uid", "value": "1"], ["op": "remove", "path": "/spec/a~1b"],
        ])
      #expect(
        seen[3].json == [
          "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": ["uid": "u-1"], "gracePeriodSeconds": 0,
        ])
      #expect(seen.allSatisfy { $0.headers.first(name: "Accept") == "application/json" })
      #expect(seen.allSatisfy { $0.headers.first(name: "User-Agent") == "devrun/test" })
      #expect(seen.allSatisfy { $0.headers["Host"] == ["127.0.0.1:\(server.port)"] })
    }
  }

  @Test func `The path of the server's URL precedes every resource path`() async throws {
    try await withServer(
      access: { ClusterAccess(server: "http://127.0.0.1:\($0)/k8s/clusters/c1/", contextName: "test") }
    ) { _, _ in
      .json(200, [:])
    } _: { client, server in
      _ = try await client.get(.namespaces)
      #expect(server.requests.map(\.uri) == ["/k8s/clusters/c1/api/v1/namespaces"])
    }
  }

  @Test func `A list is read page by page, and each item gets its kind`() async throws {
    try await withServer { request, index in
      .json(
        200,
        [
          "kind": "PodList", "apiVersion": "v1",
          "metadata": ["resourceVersion": "42", "continue": index == 0 ? "next" : ""],
          "items": index == 0 ? [["metadata": ["name": "a"]]] : nil,
        ])
    } _: { client, server in
      var requestsAtFirstPage: [Int] = []
      let list = try await client.list(.pods(in: "shop"), labelSelector: "app in (a,b)") {
        requestsAtFirstPage.append(server.requests.count)
      }
      #expect(requestsAtFirstPage == [1])
      #expect(list.resourceVersion == "42")
      #expect(list.items == [["kind": "Pod", "apiVersion": "v1", "metadata": ["name": "a"]]])
      let path = "/api/v1/namespaces/shop/pods?labelSelector=app%20in%20%28a%2Cb%29&limit=500"
      #expect(server.requests.map(\.uri) == [path, path + "&continue=next"])
    }
  }

  @Test func `A list is read again in one piece when its continuation has expired`() async throws {
    try await withServer { request, index in
      switch index {
      case 0:
        .json(
          200,
          ["kind": "PodList", "metadata": ["resourceVersion": "1", "continue": "c"], "items": [["a": "old"]]])
      case 1: .status(410, reason: "Expired", message: "too old")
      default: .json(200, ["kind": "PodList", "metadata": ["resourceVersion": "2"], "items": [["a": "new"]]])
      }
    } _: { client, server in
      var firstPages = 0
      let list = try await client.list(.pods(in: nil)) { firstPages += 1 }
      #expect(firstPages == 1)
      #expect(list.resourceVersion == "2")
      #expect(list.items.map { $0.json["a"] } == ["new"])
      #expect(server.requests.last?.uri == "/api/v1/pods")
    }
  }

  @Test(arguments: [(404, "NotFound"), (409, "AlreadyExists"), (403, "Forbidden"), (422, "Invalid"), (410, "Expired")])
  func `A refused request is reported with the server's status and is not sent again`(
    code: Int, reason: String
  ) async throws {
    try await withServer { _, _ in
      .status(code, reason: reason, message: "words of the server")
    } _: { client, server in
      let error = try await caught(KubeError.self) { _ = try await client.get(.pods(in: "shop").named("a")) }
      #expect(error?.status == APIStatus(code: code, reason: reason, message: "words of the server"))
      #expect(error?.message.what == "the cluster refused to get pods/a in namespace shop")
      #expect(error?.isNotFound == (code == 404))
      #expect(error?.isConflict == (code == 409))
      #expect(error?.isForbidden == (code == 403))
      #expect(error?.isGone == (code == 410))
      #expect(server.requests.count == 1)
    }
  }

  @Test func `A request that a busy server refuses is sent again a limited number of times`() async throws {
    try await withServer { _, index in
      index < 2 ? .status(429, reason: "TooManyRequests", message: "busy") : .json(200, ["ok": true])
    } _: { client, server in
      let value = try await client.create(object, in: .pods(in: "shop"))
      #expect(value == ["ok": true])
      #expect(server.requests.count == 3)
    }
    try await withServer { _, _ in
      .status(429, reason: "TooManyRequests", message: "busy")
    } _: { client, server in
      let error = try await caught(KubeError.self) { _ = try await client.get(.namespaces) }
      #expect(error?.status?.code == 429)
      #expect(server.requests.count == 4)
    }
  }

  @Test func `A read request is sent again after a broken connection, but a write request is not`() async throws {
    try await withServer { _, index in
      index == 0 ? [.close] : .json(200, ["ok": true])
    } _: { client, server in
      let answer1 = try await client.get(.namespaces)
      #expect(answer1 == ["ok": true])
      #expect(server.requests.count == 2)
    }
    try await withServer { _, _ in
      [.close]
    } _: { client, server in
      let error = try await caught(KubeError.self) { _ = try await client.create(object, in: .pods(in: "shop")) }
      guard case .transport(.dropped, _) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(server.requests.count == 1)
    }
  }

  @Test func `An API response that never begins times out`() async throws {
    var options = KubeClient.Options.quick
    options.requestTimeout = .milliseconds(50)
    try await withServer(options: options) { _, _ in
      []
    } _: { client, server in
      let error = try await caught(KubeError.self) { _ = try await client.get(.namespaces) }
      #expect(error == .transport(.responseTimeout, server: client.server))
    }
  }

  @Test func `An API response that stops in the middle times out`() async throws {
    var options = KubeClient.Options.quick
    options.requestTimeout = .milliseconds(50)
    try await withServer(options: options) { _, _ in
      [.head(200, ["Content-Length": "100"]), .chunk("{")]
    } _: { client, server in
      let error = try await caught(KubeError.self) { _ = try await client.get(.namespaces) }
      #expect(error == .transport(.responseTimeout, server: client.server))
    }
  }

  @Test func `A cancelled request ends at once and closes its connection`() async throws {
    try await withServer { _, _ in
      []
    } _: { client, server in
      let request = Task { try await client.get(.namespaces) }
      for await event in server.events {
        if case .request = event { request.cancel() } else { break }
      }
      await #expect(throws: CancellationError.self) { try await request.value }
    }
  }

  @Test func `A server that does not listen is reported as a refused connection`() async throws {
    let server = try await LoopbackServer.start { _, _ in [] }
    try await server.stop()
    try await withClient(ClusterAccess(server: "http://127.0.0.1:\(server.port)", contextName: "c")) { client in
      let error = try await caught(KubeError.self) { _ = try await client.get(.namespaces) }
      #expect(error == .transport(.refused, server: "http://127.0.0.1:\(server.port)"))
    }
  }

  @Test func `An HTML page in place of JSON is reported with its text`() async throws {
    try await withServer { _, _ in
      .text(200, "<html><title>Log in</title><p>Welcome</p></html>")
    } _: { client, _ in
      let error = try await caught(KubeError.self) { _ = try await client.get(.namespaces) }
      #expect(error?.message.why == "Log in Welcome")
    }
  }

  @Test func `A redirect is not followed, so that credentials stay with the server`() async throws {
    try await withServer { _, _ in
      .text(302, "", ["Location": "http://127.0.0.1:1/login"])
    } _: { client, server in
      let error = try await caught(KubeError.self) { _ = try await client.get(.namespaces) }
      #expect(error?.status?.code == 302)
      #expect(server.requests.count == 1)
    }
  }

  @Test(arguments: ["", "kube.test:6443", "socks5://kube.test", "https://:1"])
  func `An invalid server URL is refused`(url: String) async throws {
    let error = try await caught(KubeError.self) {
      try await withClient(ClusterAccess(server: url, contextName: "c")) { _ in }
    }
    guard case .configuration = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func `Every impersonation setting is sent as a header`() async throws {
    try await withServer(
      access: {
        ClusterAccess(
          server: "http://127.0.0.1:\($0)", contextName: "c",
          impersonate: Impersonation(
            user: "alice", uid: "1", groups: ["dev", "ops"], extra: ["acme.com/scope": ["a", "b"]]))
      }
    ) { _, _ in
      .json(200, [:])
    } _: { client, server in
      _ = try await client.get(.namespaces)
      let headers = try #require(server.requests.first).headers
      #expect(headers["Impersonate-User"] == ["alice"])
      #expect(headers["Impersonate-Uid"] == ["1"])
      #expect(headers["Impersonate-Group"] == ["dev", "ops"])
      #expect(headers["Impersonate-Extra-acme.com%2Fscope"] == ["a", "b"])
    }
  }

  @Test(
    arguments: [
      (["status": ["allowed": true]], true), (["status": ["allowed": false]], false), ([:], false),
    ] as [(JSONValue, Bool)])
  func `The server decides if the user may do something to a resource`(answer: JSONValue, expected: Bool) async throws {
    try await withServer { _, _ in
      .json(201, answer)
    } _: { client, server in
      let isAllowed = try await client.may("get", .pods(in: "shop").named("a").subresource("log"))
      #expect(isAllowed == expected)
      let request = try #require(server.requests.first)
      #expect(request.path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
      #expect(
        request.json?[path: "spec", "resourceAttributes"] == [
          "verb": "get", "group": "", "version": "v1", "resource": "pods", "namespace": "shop", "name": "a",
          "subresource": "log",
        ])
    }
  }
}
