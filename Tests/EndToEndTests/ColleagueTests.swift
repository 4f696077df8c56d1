import DevrunCore
import Foundation
import TestSupport
import Testing

extension EndToEnd.Company {
  /// A team goes on with its work while one of them has a session on its Deployment.
  @Suite("Colleagues in mid-session")
  struct Colleagues {
    private static let handlers = [
      "httpGet: {path: /, port: http}", "tcpSocket: {port: http}", "exec: {command: [test, -d, /tmp]}",
    ]

    /// Makes changes in mid-session and checks that each is there, that the session keeps its traffic, and that nothing
    /// but the changes is left.
    private func expectKept(_ changes: [TeamChange], _ twins: Twins) async throws {
      try await twins.with {
        let errors = try await twins.session { shell in
          for change in changes {
            let seen = shell.process.errors.bytes.count
            try await twins.make(change)
            if change.resetsProbes {
              try await shell.process.errors.wait(
                for: "\(change.manager) changed deployment/team; devrun's part is set again", after: seen,
                within: .seconds(20))
            }
            try await twins.cluster.kubectl.settled()
            try await twins.isServed()
          }
        }
        let resets = errors.components(separatedBy: "devrun's part is set again").count - 1
        #expect(resets == changes.filter(\.resetsProbes).count, "\(errors)")
        #expect(!errors.contains("not redirected any more"), "\(errors)")
        try await twins.expectAlike()
        try await twins.cluster.machine.isClean()
        #expect(try await twins.cluster.kubectl.traces() == [])
      }
    }

    @Test(arguments: handlers)
    func `A client-side apply in mid-session succeeds, stays, and leaves the session its traffic`(
      handler: String
    ) async throws {
      try await expectKept([.unchangedApply, .applyWithVariable], Twins(handler: handler, isServerSide: false))
    }

    @Test(arguments: handlers)
    func `A server-side apply in mid-session succeeds, stays, and leaves the session its traffic`(
      handler: String
    ) async throws {
      try await expectKept(
        [.unchangedServerSideApply, .serverSideApplyWithVariable], Twins(handler: handler, isServerSide: true))
    }

    @Test(arguments: [[TeamChange.image], [.variable], [.restart], [.scale, .label, .strategy]])
    func `A change of a field in mid-session stays and leaves the session its traffic`(
      changes: [TeamChange]
    ) async throws {
      try await expectKept(changes, Twins(handler: Self.handlers[0], isServerSide: false))
    }

    @Test func `A rollout undo in mid-session stays, devrun prints who it was, and the command goes on`() async throws {
      let twins = try Twins(handler: Self.handlers[0], isServerSide: false)
      let cluster = twins.cluster
      try await twins.with {
        let errors = try await twins.session { shell in
          try await cluster.kubectl("rollout", "undo", "deployment/team")
          try await shell.process.errors.wait(
            for: "deployment/team is not redirected any more: changed by kubectl", within: .seconds(20))
          try await cluster.serves("wget -qO- http://team/", "the app in the cluster")
          #expect(try await shell("curl -sS -m 20 http://myapp2/cgi-bin/peer").status == 0)
        }
        #expect(!errors.contains("set again"), "\(errors)")
        try await cluster.kubectl.settled()
        try await cluster.serves("wget -qO- http://team/", "the app in the cluster")
        #expect(try await cluster.kubectl.traces() == [])
        let path = ".spec.template.spec"
        let template = try await cluster.kubectl.value("deployment/team", path)
        #expect(try await template == cluster.other.value("deployment/team", path))
      }
    }
  }
}

extension Kubectl {
  /// In words, what devrun has left in the namespace.
  func traces() async throws -> [String] {
    try await everything().flatMap { object -> [String] in
      let name = "\(object["kind"]?.string ?? "?")/\(object[path: "metadata", "name"]?.string ?? "?")"
      var found = name.contains("devrun") ? [name] : []
      if String(decoding: object.text, as: UTF8.self).contains("devrun.dev") { found.append("\(name) names devrun") }
      let managers = object[path: "metadata", "managedFields"]?.array ?? []
      if managers.contains(where: { $0["manager"]?.string?.contains("devrun") == true }) {
        found.append("\(name) has fields of devrun")
      }
      return found
    }
  }
}
