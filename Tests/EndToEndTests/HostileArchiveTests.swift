import DevrunPlan
import TestSupport
import Testing

extension EndToEnd.Beginnings {
  /// Volumes as a container could send them that is not to be trusted.
  @Suite(
    "Hostile archives",
    .enabled(if: Settings.rigged != nil, "DEVRUN_E2E_RIGGED names no devrun with a hostile agent (make rigged)"))
  struct HostileArchives {
    @Test
    func `A hostile archive is refused with the reason before the command runs and leaves no file`() async throws {
      let cluster = Cluster.shared
      let rigged = try await Cluster.install(try #require(Settings.rigged), for: cluster.user, as: "rigged")
      let path = "\(cluster.user.work)/hostile.env"
      try await cluster.with(manifest: "hostile") {
        for (volume, reason) in [
          ("dotdot", "the unsafe name '../escaped'"), ("absolute", "the unsafe name '/tmp/escaped'"),
          ("device", "neither file, folder nor link"), ("hardlink", "neither file, folder nor link"),
          ("link", "'out/escaped'"), ("twice", "'a' twice"), ("cut", "ended too early"), ("bomb", "more than 1Mi"),
        ] {
          try cluster.user.write("VOLUME=${volumes.\(volume)}\n", to: path)
          let outcome = try await cluster.leavingNoTrace {
            try await cluster.start(
              [
                "-t", "deployment/hostile", "--take-over", "never", "--env-file", path, "--volume-limit", "1Mi", "--",
                "echo", "ran",
              ],
              program: rigged
            ).outcome(within: .seconds(60))
          }
          #expect(outcome.status == .exited(125) && outcome.output == "", "\(volume): \(outcome)")
          #expect(outcome.errors.contains(reason), "\(volume): \(outcome)")
          #expect(try await cluster.machine.files(named: "escaped") == [], "\(volume)")
        }
      }
    }
  }
}
