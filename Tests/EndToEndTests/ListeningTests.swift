import Foundation
import DevrunPlan
import TestSupport
import Testing

extension EndToEnd.Runs {
  /// When the cluster's traffic comes, and who notices it. Nothing else may keep this machine busy meanwhile.
  @Suite("Traffic from the first listen on", .alone)
  struct Listening {
    let cluster = Cluster.shared

    @Test(arguments: [1, 2])
    func `A server that listens late costs at most one request, and the app answers soon after its end`(
      replicas: Int
    ) async throws {
      try await cluster.with(replicas: replicas) {
        let start = try await cluster.startOfOnePod(like: "myapp1")
        try await cluster.leavingNoTrace {
          let (server, answers) = try await cluster.asking("myapp1") {
            let outcome = try await lateServer()
            // Not a wait for something: for so long the app may need, and then every answer is looked at.
            try await Task.sleep(for: .seconds(start + 4))
            return outcome
          }
          let listens = try #require(server.time(of: "listens"), "\(server)")
          let ends = try #require(server.time(of: "ends"), "\(server)")
          #expect(server.status == .exited(0), "\(server)")

          let until = answers.filter { $0.asked < ends }
          #expect(until.contains { $0.isFromHere }, "no request came here")
          #expect(until.filter { $0.asked < listens - 0.1 }.allSatisfy { $0.isFromCluster || $0.isFailure })
          #expect(until.filter(\.isFailure).count <= 1, "\(until.filter(\.isFailure))")
          let after = answers.filter { $0.asked > ends + start + 2 }
          #expect(after.count > 5)
          let wrong = after.filter { !$0.isFromCluster }
          #expect(wrong.isEmpty, "the command ended at \(ends), a pod's start takes \(start): \(wrong)")
        }
      }
    }

    /// Runs a server that listens 10 seconds after its start, until the cluster's traffic comes.
    private func lateServer() async throws -> Outcome {
      let process = try cluster.start([
        "-v", "-t", "deployment/myapp1", "-p", "8080:\(cluster.port)", "--", "python3", "\(cluster.fixtures)/late.py",
        "10", "\(cluster.port)",
      ])
      do {
        try await process.output.wait(for: "listens")
        try await process.errors.wait(for: "deployment/myapp1 port 8080 -> localhost:\(cluster.port)")
        try await cluster.serves("wget -qO- http://myapp1/", "the app on this machine")
      } catch {
        await process.stop()
        throw error
      }
      return try await process.outcome()
    }

    @Test func `Each start of a server but the first is answered within 0.2 seconds of its listen`() async throws {
      try await cluster.leavingNoTrace {
        let shell = try await SessionShell(cluster, ["-t", "deployment/myapp1", "-p", "8080:\(cluster.port)"])
        do {
          try await shell.isServed(by: "myapp1", at: cluster.port)
          let (starts, answers) = try await cluster.asking("myapp1", every: .milliseconds(40)) {
            var starts: [Double] = []
            for _ in 1...10 {
              let words = try await shell.output(
                """
                id=$(python3 \(cluster.fixtures)/web.py 127.0.0.1 \(cluster.port) \(cluster.user.work)/requests)
                cut -d' ' -f1 /proc/uptime; sleep 0.4; kill $id; sleep 0.1
                """)
              starts.append(try #require(Double(words)))
            }
            return starts
          }
          for start in starts {
            let first = answers.first { $0.isFromHere && $0.answered >= start - 0.05 }
            #expect(
              first.map { $0.answered <= start + 0.2 } == true, "listening at \(start), answered: \(first as Any)")
          }
          #expect(!answers.contains { $0.isFromCluster }, "the app answered in mid-session")
        } catch {
          try await shell.exit()
          throw error
        }
        #expect(try await shell.exit().status == .exited(0))
      }
    }

    @Test func `A command that never listens is noticed by nobody, and its end takes less than 1.5 seconds`()
      async throws
    {
      try await cluster.kubectl.settled()
      let before = try await cluster.kubectl.resourceVersions()
      let (seconds, answers) = try await cluster.asking("myapp1") {
        let process = try cluster.start([
          "-t", "deployment/myapp1", "--", "sh", "-c", "echo ready; read line; echo over; exit 4",
        ])
        try await process.output.wait(for: "ready")
        let now = try await cluster.kubectl.resourceVersions()
        for (name, version) in before { #expect(now[name] == version, "\(name)") }
        let own = /(ConfigMap\/devrun-\w{8}-.+|Pod\/myapp1-devrun-\w{8})/
        for name in now.keys where before[name] == nil { #expect(name.wholeMatch(of: own) != nil, "\(name) is new") }
        try process.write("\n")
        try await process.output.wait(for: "over")
        let end = Cluster.now()
        #expect(try await process.status() == .exited(4), "\(process.errors.text)")
        return Cluster.now() - end
      }
      #expect(seconds < 1.5)
      #expect(answers.count > 10 && answers.allSatisfy(\.isFromCluster), "\(answers.filter { !$0.isFromCluster })")
      try await cluster.machine.isClean()
      try await cluster.kubectl.settled()
      #expect(try await cluster.kubectl.resourceVersions() == before)
    }
  }
}

extension Outcome {
  /// The time behind a word that `late.py` printed, in seconds since this machine was booted.
  func time(of word: String) -> Double? {
    let line = output.split(separator: "\n").first { $0.hasPrefix("\(word) ") }
    return line.flatMap { Double($0.dropFirst(word.count + 1)) }
  }
}
