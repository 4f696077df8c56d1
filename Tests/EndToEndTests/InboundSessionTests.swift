import Foundation
import Testing

extension EndToEnd.Insides {
  /// Connections of the cluster's own clients to myapp1, while it is redirected.
  @Suite(
    "Inbound connections",
    .session(preparation: { try await $1.isServed(by: "myapp1", at: $0.port) }) {
      ["-t", "deployment/myapp1", "-p", "8080:\($0.port)"]
    })
  struct Inbound {
    let cluster = Cluster.shared
    let shell = SessionShell.shared

    /// What a shell script of another pod prints.
    func client(_ script: String) async throws -> String {
      try await cluster.kubectl.script(in: "client", script, within: .seconds(120))
    }

    var log: String { "\(cluster.user.work)/requests" }

    @Test(
      arguments: [
        "127.0.0.1", "0.0.0.0", "::1",
      ])
    func `A request is answered by the local server at whichever local address it listens`(
      _ address: String
    ) async throws {
      try await shell.serving("web.py \(address) \(cluster.port) \(log)") {
        let answer = try await client("timeout 20 wget -qO- http://myapp1/")
        #expect(answer == "the app on this machine\n")
      }
    }

    @Test func `A client is refused or reset while nothing listens, and served once something does`() async throws {
      for _ in 1...3 {
        let refusal = try await client("timeout 10 wget -qO- http://myapp1/ 2>&1; echo status $?")
        #expect(refusal.contains("refused") || refusal.contains("reset"), "\(refusal)")
        #expect(refusal.hasSuffix("status 1\n"), "\(refusal)")
        try await shell.serving("web.py 127.0.0.1 \(cluster.port) \(log)") {
          let answer = try await client("timeout 20 wget -qO- http://myapp1/")
          #expect(answer == "the app on this machine\n")
        }
      }
    }

    @Test func `A thousand requests in fifty parallel connections arrive through both replicas' pods`() async throws {
      let pods = try await cluster.kubectl.pods(of: "myapp1")
      #expect(pods.count == 2)
      _ = try await shell("rm -f \(log)")
      try await shell.serving("web.py 127.0.0.1 \(cluster.port) \(log)") {
        let before = try await accepted(pods)
        let answers = try await client(
          "seq 1000 | xargs -P 50 -I{} timeout 60 wget -qO- http://myapp1/{} 2>&1 | sort | uniq -c | sed 's/^ *//'")
        #expect(answers == "1000 the app on this machine\n")
        let requests = try await shell.output("cat \(log)").split(separator: "\n").map(String.init)
        #expect(Set(requests) == Set((1...1000).map { "GET /\($0)" }))
        #expect(requests.count == 1000)
        // kube-proxy chooses at random: that a pod gets fewer than 100 of 1,000 will not be seen.
        for (pod, counts) in zip(pods, zip(before, try await accepted(pods))) {
          #expect(counts.1 - counts.0 >= 100, "\(pod.name) accepted \(counts.1 - counts.0) connections")
        }
        for pod in pods {
          #expect(try await client("timeout 20 wget -qO- http://\(pod.address):8080/") == "the app on this machine\n")
        }
      }
    }

    /// How many TCP connections each pod's network has accepted.
    private func accepted(_ pods: [Kubectl.Pod]) async throws -> [Int] {
      var counts: [Int] = []
      for pod in pods {
        let lines = try await cluster.kubectl.script(in: pod.name, "grep ^Tcp: /proc/net/snmp").split(separator: "\n")
        let table = zip(lines[0].split(separator: " "), lines[1].split(separator: " "))
        counts.append(try #require(table.first { $0.0 == "PassiveOpens" }.flatMap { Int($0.1) }))
      }
      return counts
    }

    @Test func `An upload and a download of 200 MB each arrive whole`() async throws {
      let size = 200 << 20
      try await shell.serving("web.py 127.0.0.1 \(cluster.port) \(log)") {
        let digests = try await client(
          """
          dd if=/dev/urandom of=/tmp/blob bs=1M count=200 2>/dev/null; sha256sum </tmp/blob | cut -d' ' -f1
          { printf 'POST /upload HTTP/1.0\\r\\nContent-Length: \(size)\\r\\n\\r\\n'; cat /tmp/blob; } | nc myapp1 80 | tail -1
          rm /tmp/blob
          wget -qO- http://myapp1/bytes/\(size) | sha256sum | cut -d' ' -f1
          wget -qO- http://myapp1/digest/\(size)
          """
        ).split(separator: "\n")
        #expect(digests.count == 4, "\(digests)")
        #expect(digests.allSatisfy { $0.count == 64 })
        #expect(digests[0] == digests[1], "the upload differs")
        #expect(digests[2] == digests[3], "the download differs")
      }
    }

    @Test func `A local server that speaks first is heard first`() async throws {
      try await shell.serving("peer.py greet \(cluster.port)") {
        // Says something only once it has heard something.
        let talk = try await client(
          """
          mkfifo /tmp/said /tmp/heard; timeout 20 nc myapp1 80 </tmp/said >/tmp/heard &
          exec 3>/tmp/said 4</tmp/heard; rm /tmp/said /tmp/heard
          read -r greeting <&4; printf '%s\\n' "$greeting"; echo hello >&3; cat <&4
          """)
        #expect(talk == "220 local peer ready\r\n250 heard hello\n")
      }
    }

    @Test func `A client that closes its sending half still receives the answer`() async throws {
      try await shell.serving("peer.py digest \(cluster.port)") {
        let digests = try await client(
          """
          head -c 5000000 /dev/zero | sha256sum | cut -d' ' -f1
          head -c 5000000 /dev/zero | timeout 20 nc myapp1 80
          """
        ).split(separator: "\n")
        #expect(digests.count == 2 && digests[0] == digests[1], "\(digests)")
      }
    }

    @Test func `A reset by the local server is a reset for the client`() async throws {
      try await shell.serving("peer.py reset \(cluster.port)") {
        let answer = try await client("timeout 10 wget -qO- http://myapp1/ 2>&1; echo status $?")
        #expect(answer == "wget: error getting response: Connection reset by peer\nstatus 1\n")
      }
    }

    @Test func `Requests are answered while another connection is open that nobody reads from`() async throws {
      try await shell.serving("web.py 127.0.0.1 \(cluster.port) \(log)") {
        let answers = try await client(
          """
          mkfifo /tmp/stalled
          { printf 'GET /bytes/100000000 HTTP/1.0\\r\\n\\r\\n'; sleep 30; } | nc myapp1 80 >/tmp/stalled &
          exec 3</tmp/stalled; head -c 1 <&3 >/dev/null
          for i in 1 2 3 4 5; do timeout 20 wget -qO- http://myapp1/; done | uniq -c | sed 's/^ *//'
          kill $(jobs -p) 2>/dev/null; killall nc sleep 2>/dev/null; rm /tmp/stalled
          """)
        #expect(answers == "5 the app on this machine\n")
      }
    }
  }
}
