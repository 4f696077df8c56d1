import CMinicluster
import DevrunPlan
import DevrunSystem
import Foundation
import TestSupport
import Testing

/// A node without a cluster, in a process of its own (`node-trial`).
final class NodeFixture: Sendable {
  /// The outer process.
  let process: TestProcess
  private let answers = Answers()

  /// Counts the bytes of answers that were read.
  private actor Answers {
    var end = 0
    func next(of output: Transcript) async throws -> String {
      let start = end
      end = try await output.wait(for: "\n", after: start)
      return String(decoding: output.bytes[start..<(end - 1)], as: UTF8.self).replacing("\\n", with: "\n")
    }
  }

  /// Starts a node as a user.
  init(as user: TestUser = .own) throws {
    process = try TestProcess(user.command([built("node-trial")]))
  }

  /// Performs a step (`TrialStep`).
  @discardableResult
  func callAsFunction(_ action: String, _ step: [String: any Sendable] = [:]) async throws -> String {
    let all = step.merging(["action": action]) { $1 }
    try process.write(String(decoding: try JSONSerialization.data(withJSONObject: all), as: UTF8.self) + "\n")
    return try await answers.next(of: process.output)
  }

  /// Runs a command in a container of its own, to its end.
  func run(_ command: [String], in pod: String = "a", mounts: [[String]] = []) async throws -> String {
    let answer = try await self("start", ["pod": pod, "container": "run", "command": command, "mounts": mounts])
    if answer.hasPrefix("error") { return answer }
    return try await self("end", ["container": "run"])
  }

  /// Starts a container that serves HTTP on a port, and waits until it listens.
  func serve(_ text: String, on port: Int, in pod: String) async throws {
    let script = "echo \(text) > /tmp/index.html; busybox httpd -p \(port) -h /tmp && echo listening; exec sleep 600"
    try await self("start", ["pod": pod, "container": "server-\(pod)", "command": ["sh", "-c", script]])
    #expect(try await self("wait", ["container": "server-\(pod)", "text": "listening"]) == "seen")
  }

  /// Ends the node.
  func end() async throws {
    process.closeInput()
    #expect(try await process.outcome().status == .exited(0))
  }
}

/// The path of a program that was built with the tests.
func built(_ name: String) -> String {
  URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    .appendingPathComponent(name).path
}

/// Waits for the end of a process that is no child.
func expectEnd(of processes: [Descriptor]) {
  for process in processes {
    var end = pollfd(fd: process.number, events: Int16(POLLIN), revents: 0)
    #expect(poll(&end, 1, 10_000) == 1, "the process has not ended")
  }
}

/// A process that is no child, so that its end can be waited for.
func watched(_ process: Int32) throws -> Descriptor { Descriptor(try shim { minicluster_pidfd_open(process) }) }

/// Whether this machine can have a node, and what the tests with one need.
enum NodeNeed {
  static let isMet = isInstalled("ip") && isInstalled("busybox")
  static let words: Comment = "iproute2 and busybox are needed"
}
