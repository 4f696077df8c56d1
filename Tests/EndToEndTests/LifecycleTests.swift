import DevrunPlan
import TestSupport
import Testing

extension EndToEnd.Runs {
  @Suite("Run from start to end")
  struct Lifecycle {
    @Test func `A run exits with the command's status and leaves the cluster as it was`() async throws {
      let cluster = Cluster.shared
      try await cluster.kubectl.settled()
      let before = try await NamespaceSnapshot(of: cluster.kubectl)
      let outcome = try await cluster.leavingNoTrace {
        let outcome = try await cluster.devrun(
          "-t", "deployment/myapp1", "--take-over", "now", "--", "sh", "-c", "exit 7")
        // What devrun itself wrote is undone when it ends; what controllers do after it may take a moment.
        let differences = try await NamespaceSnapshot(of: cluster.kubectl).differences(from: before)
        for difference in differences where difference.hasPrefix("Deployment/") || difference.hasPrefix("ConfigMap/") {
          Issue.record("at devrun's exit: \(difference)")
        }
        return outcome
      }
      #expect(outcome.status == .exited(7), "\(outcome)")
      #expect(outcome.output == "")
    }

    @Test func `A Deployment's history of revisions is the same after a run and has no trace of devrun`() async throws {
      let cluster = Cluster.shared
      func history() async throws -> String { try await cluster.kubectl("rollout", "history", "deployment/myapp1") }
      let before = try await history()
      #expect(before.split(separator: "\n").dropFirst(2).count == 3, "the fixture makes three revisions: \(before)")
      try await cluster.leavingNoTrace {
        let outcome = try await cluster.devrun("-t", "deployment/myapp1", "--take-over", "now", "--", "true")
        #expect(outcome.status == .exited(0), "\(outcome)")
      }
      #expect(try await history() == before)
      for revision in before.split(separator: "\n").dropFirst(2).compactMap({ $0.split(separator: " ").first }) {
        let template = try await cluster.kubectl("rollout", "history", "deployment/myapp1", "--revision=\(revision)")
        #expect(template.contains("kube-e2e") || cluster.settings.image != nil)
        #expect(!template.contains("devrun"))
      }
    }

    @Test func `A client-side apply of the manifest changes nothing after a run`() async throws {
      let cluster = Cluster.shared
      try await cluster.leavingNoTrace {
        let outcome = try await cluster.devrun("-t", "deployment/myapp1", "--take-over", "now", "--", "true")
        #expect(outcome.status == .exited(0), "\(outcome)")
        try await cluster.kubectl.settled()
        let generation = try await cluster.kubectl.value("deployment/myapp1", ".metadata.generation")
        try await cluster.kubectl.apply(try cluster.manifest("myapp1"))
        #expect(try await cluster.kubectl.value("deployment/myapp1", ".metadata.generation") == generation)
      }
    }

    @Test func `A server-side apply of the manifest has no conflict and changes nothing after a run`() async throws {
      let cluster = Cluster.shared
      try await cluster.with(manifest: "applied", serverSide: true) {
        try await cluster.leavingNoTrace {
          let outcome = try await cluster.devrun(
            "-t", "deployment/applied", "-p", "8080", "--take-over", "now", "--", "true")
          #expect(outcome.status == .exited(0), "\(outcome)")
          try await cluster.kubectl.settled()
          let generation = try await cluster.kubectl.value("deployment/applied", ".metadata.generation")
          let manifest = try cluster.manifest("applied")
          try await cluster.kubectl("apply", "--server-side", "-f", "-", input: manifest)
          let now = try await cluster.kubectl.value("deployment/applied", ".metadata.generation")
          #expect(now == generation)
        }
      }
    }

    @Test func `Standard input, output and error of a run are the command's own`() async throws {
      let cluster = Cluster.shared
      let outcome = try await cluster.leavingNoTrace {
        try await cluster.devrun(
          "-t", "deployment/myapp1", "-q", "--", "sh", "-c", "tr a-z A-Z; echo complaint >&2", input: "words\n")
      }
      #expect(outcome.status == .exited(0), "\(outcome)")
      #expect(outcome.output == "WORDS\n")
      #expect(outcome.errors == "complaint\n")
    }

    @Test func `A run dies of the signal that killed its command`() async throws {
      let cluster = Cluster.shared
      let outcome = try await cluster.leavingNoTrace {
        try await cluster.devrun("-t", "deployment/myapp1", "--", "sh", "-c", "ulimit -c 0; kill -SEGV $$")
      }
      #expect(outcome.status == .killed(11, coreDumped: false), "\(outcome)")
    }
  }
}
