internal import DevrunSystem
internal import DevrunTunnel
public import Foundation

/// What `devrun diagnose` prints: for programs, and for people.
public struct SessionReport: Sendable {
  /// What the sessions said.
  public var answers: [LiveSessions.Answer]
  /// The moment that ages are told of.
  public var now: Date

  /// A report of the given answers.
  public init(_ answers: [LiveSessions.Answer], now: Date = .now) {
    self.answers = answers
    self.now = now
  }

  /// An object with `version`, `sessions` (each a `SessionSnapshot`) and `silent` (`session`, `folder`, `why`).
  ///
  /// - Throws: `EncodingError`
  public func json() throws -> String {
    var document = Document()
    for answer in answers {
      switch answer {
      case .state(let state): document.sessions.append(state)
      case .silent(let session, let folder, let why):
        document.silent.append(.init(session: session, folder: folder, why: why))
      }
    }
    return String(decoding: try SessionSnapshot.encoder.encode(document), as: UTF8.self) + "\n"
  }

  private struct Document: Encodable {
    struct Silent: Encodable {
      var session: String
      var folder: String
      var why: String
    }

    var version = SessionSnapshot.currentVersion
    var sessions: [SessionSnapshot] = []
    var silent: [Silent] = []
  }

  /// Aligned text.
  public func text() -> String {
    guard !answers.isEmpty else { return "no session of yours lives on this machine\n" }
    return answers.map { answer in
      switch answer {
      case .state(let state): text(of: state)
      case .silent(let session, let folder, let why): "session \(session): \(why)\n  folder  \(folder)\n"
      }
    }.joined(separator: "\n")
  }

  private func text(of state: SessionSnapshot) -> String {
    var facts = [
      ["stage", "\(state.stage.rawValue), since \(moment(state.since))"],
      ["command", "\(state.command), held by process \(state.process)"],
      ["cluster", "\(state.server) (context \(state.context))"], ["log", state.logFile ?? "none"],
      ["folder", state.folder],
    ]
    if let container = state.container { facts.insert(["container", container], at: 1) }
    var text = "session \(state.session): \(state.target) in namespace \(state.namespace)\n" + Self.table(facts)
    func section(_ title: String, _ rows: [[String]], none: String) {
      text += "\n  \(title)\n" + Self.table(rows.isEmpty ? [[none]] : rows, indent: 4)
    }
    section("pods", pods(state), none: "none yet")
    section(
      "ports", state.ports.map { ["\($0.remote) of the target", "-> localhost:\($0.local)"] },
      none: "none is redirected")
    guard let names = state.names else { return text }
    section("services", state.services.map(Self.row), none: "none may be listed")
    section(
      "hosts", names.hosts.map { [$0.address, $0.names.joined(separator: " ")] }, none: "the hosts file is empty")
    section(
      "DNS",
      [
        ["hosts file", names.hostsFile], ["cluster domain", names.clusterDomain],
        ["the agent asks", names.nameServers.joined(separator: " ")],
        ["and looks in", names.searchDomains.joined(separator: " ")],
        ["redirected", "\(names.redirectedAddresses) addresses of services and pods"],
      ], none: "")
    section("volumes", state.volumes.flatMap(rows), none: "the container has none")
    section("environment", Self.environment(state.environment), none: "")
    return text
  }

  private func pods(_ state: SessionSnapshot) -> [[String]] {
    state.pods.flatMap { pod in
      let tunnel =
        pod.tunnelSince.map { "tunnel up since \(moment($0))" } ?? "no tunnel: \(pod.problem ?? "connecting")"
      let traffic = pod.traffic
      return [
        [pod.name, "\(tunnel), \(pod.reconnects) reconnects"],
        [
          "",
          "connections: \(traffic.outboundConnections) out, \(traffic.inboundConnections) in; "
            + "\(Self.size(traffic.bytesSent)) sent, \(Self.size(traffic.bytesReceived)) received",
        ],
      ]
    }
  }

  private static func row(_ service: SessionSnapshot.Service) -> [String] {
    let addresses = service.clusterAddresses
    return [
      "\(service.name).\(service.namespace)", service.localAddress,
      addresses.isEmpty ? "by name (no address in the cluster)" : "for \(addresses.joined(separator: ", "))",
    ]
  }

  private func rows(_ volume: SessionSnapshot.Volume) -> [[String]] {
    let places = ([volume.localPath] + volume.mountPaths).compactMap { $0 }
    let here = places.isEmpty ? "not fetched" : "here at \(places.joined(separator: " and "))"
    return [
      [volume.name, "\(volume.source) at \(volume.containerPath)"],
      ["", here + (volume.updated.map { ", as of \(moment($0))" } ?? "")],
    ]
  }

  private static func environment(_ variables: [SessionSnapshot.Variable]) -> [[String]] {
    let own = variables.filter { $0.origin == .shell }.count
    let services = variables.filter { $0.value != nil }.count
    let others = variables.filter { $0.origin != .shell && $0.value == nil }.map { variable in
      ["\(variable.name)=\(SecretMask.mark)", variable.origin.rawValue]
    }
    return others + [["and \(services) of services, \(own) of this shell's own (--json names them)"]]
  }

  /// Rows with aligned columns.
  static func table(_ rows: [[String]], indent: Int = 2) -> String {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in
      rows.filter { $0.count > column + 1 }.map { $0[column].count }.max() ?? 0
    }
    return rows.map { row in
      let cells = row.enumerated().map { column, cell in
        column + 1 < row.count ? cell + String(repeating: " ", count: widths[column] - cell.count) : cell
      }
      var line = String(repeating: " ", count: indent) + cells.joined(separator: "  ")
      while line.last == " " { line.removeLast() }
      return line + "\n"
    }.joined()
  }

  /// A time with its age.
  private func moment(_ date: Date) -> String {
    "\(date.formatted(.iso8601)) (\(Self.age(now.timeIntervalSince(date))))"
  }

  /// How long ago, in the two largest units.
  static func age(_ interval: TimeInterval) -> String {
    let seconds = max(Int(interval), 0)
    return switch seconds {
    case ..<60: "\(seconds) s"
    case ..<3600: "\(seconds / 60) min \(seconds % 60) s"
    case ..<86400: "\(seconds / 3600) h \(seconds % 3600 / 60) min"
    default: "\(seconds / 86400) d \(seconds % 86400 / 3600) h"
    }
  }

  /// A number of bytes.
  static func size(_ bytes: Int) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
    guard let (name, unit) = units.first(where: { bytes >= $0.1 }) else { return "\(bytes) B" }
    let tenths = bytes / (unit / 10)
    return "\(tenths / 10).\(tenths % 10) \(name)"
  }
}
