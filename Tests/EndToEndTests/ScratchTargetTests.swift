import DevrunCore
import Foundation
import TestSupport
import Testing

extension EndToEnd.Runs {
  /// A target with nothing in it to lean on: no shell, no user of consequence, nowhere to write, little memory.
  @Suite(
    "Target with a scratch image",
    .session(manifest: "scratch", preparation: { try await $1.isServed(by: "scratch", at: 8080) }) { _ in
      ["-t", "deployment/scratch"]
    })
  struct ScratchTarget {
    let cluster = Cluster.shared
    let shell = SessionShell.shared

    @Test func `Connections to a scratch container arrive at the same local port by default`() async throws {
      try await shell.serving("web.py 127.0.0.1 8080 \(cluster.user.work)/requests") {
        let answers = try await cluster.kubectl.script(
          in: "client", "seq 200 | xargs -P 20 -I{} timeout 60 wget -qO- http://scratch/{} 2>&1 | sort | uniq -c")
        #expect(answers.trimmed == "200 the app on this machine")
      }
    }

    @Test func `Connections from a scratch container's session leave from the pod`() async throws {
      let pod = try await cluster.kubectl.sessionPod()
      let answer = try await shell.output("curl -sS -m 20 http://myapp2/cgi-bin/peer")
      #expect(answer.contains("\(pod.address)"), "\(answer)")
    }

    @Test func `An agent with 32 MiB of memory passes downloads of 50 MB on and is not killed`() async throws {
      let size = 50 << 20
      try await shell.serving("web.py 127.0.0.1 8080 \(cluster.user.work)/requests") {
        let digests = try await cluster.kubectl.script(
          in: "client",
          """
          for i in 1 2 3 4; do wget -qO- http://scratch/bytes/\(size) | sha256sum | cut -d' ' -f1 & done; wait
          wget -qO- http://scratch/digest/\(size)
          """
        ).split(separator: "\n")
        #expect(digests.count == 5 && Set(digests).count == 1, "\(digests)")
      }
      let digest = try await shell.output("python3 \(cluster.fixtures)/client.py blocking digest peer 7000")
      #expect(digest.hasPrefix("03a7bd51"))
      let pods = try await cluster.kubectl.pods(of: "scratch") + [try await cluster.kubectl.sessionPod()]
      #expect(pods.map(\.restarts) == [0, 0])
    }

    @Test func `A scratch container's environment arrives although it has no program to print it`() async throws {
      #expect(try await shell.output("echo $KIND") == "scratch")
    }

    @Test func `A scratch container's pod keeps its image, resources and security context`() async throws {
      let pod = try #require(try await cluster.kubectl.pods(of: "scratch").first).name
      let live = try await cluster.kubectl.json("pod/\(pod)")
      let original = try Kubectl.parse(
        try await run(
          ["kubectl", "create", "--dry-run=client", "-o", "json", "-f", "-"],
          input: try cluster.manifest("scratch").components(separatedBy: "\n---\n")[0]
        ).output)
      let container = try #require(live[path: "spec", "containers"]?.array?.first)
      let expected = try #require(original[path: "spec", "template", "spec", "containers"]?.array?.first)
      for field in ["image", "securityContext", "resources"] {
        #expect(container[field] == expected[field], "\(field)")
      }
      #expect(live[path: "spec", "securityContext"] == original[path: "spec", "template", "spec", "securityContext"])
    }
  }
}
