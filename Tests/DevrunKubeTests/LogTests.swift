import DevrunCore
import NIOHTTP1
import Testing

@testable import DevrunKube

@Suite("Container logs")
struct LogTests {
  @Test func `A container's log is read line by line with the time of each line`() async throws {
    try await withServer { _, _ in
      [
        .head(200, ["Content-Type": "text/plain"]), .chunk("2026-01-01T00:00:00.5Z devrun-agent: re"),
        .chunk("ady\n2026-01-01T00:00:01.5Z two  words\n2026-01-01T00:00:02.5Z\n"), .end,
      ]
    } _: { client, server in
      var lines: [LogLine] = []
      for try await line in try await client.followLog(
        namespace: "shop", pod: "web-1", container: "web", since: "2026-01-01T00:00:00Z")
      {
        lines.append(line)
      }
      #expect(lines.map(\.text) == ["devrun-agent: ready", "two  words", ""])
      #expect(lines.map(\.time) == ["2026-01-01T00:00:00.5Z", "2026-01-01T00:00:01.5Z", "2026-01-01T00:00:02.5Z"])
      let request = try #require(server.requests.first)
      #expect(request.path == "/api/v1/namespaces/shop/pods/web-1/log")
      #expect(
        request.uri.contains("container=web&follow=true&timestamps=true&sinceTime=2026-01-01T00%3A00%3A00Z"))
      #expect(request.headers["Accept"] == ["application/json, */*"])
    }
  }

  @Test func `A container's log that may not be read is refused as forbidden`() async throws {
    try await withServer { _, _ in
      .status(403, reason: "Forbidden", message: "pods \"web-1\" is forbidden")
    } _: { client, _ in
      let error = await #expect(throws: KubeError.self) {
        _ = try await client.followLog(namespace: "shop", pod: "web-1", container: "web")
      }
      #expect(error?.isForbidden == true)
    }
  }

  @Test func `A container's log that breaks off is an error after the lines that arrived`() async throws {
    try await withServer { _, _ in
      [.head(200, [:]), .chunk("2026-01-01T00:00:00.5Z one\n"), .close]
    } _: { client, _ in
      var lines: [String] = []
      let log = try await client.followLog(namespace: "shop", pod: "web-1", container: "web")
      await #expect(throws: KubeError.self) { for try await line in log { lines.append(line.text) } }
      #expect(lines == ["one"])
    }
  }
}
