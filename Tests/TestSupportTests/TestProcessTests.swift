import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing

@Suite("Processes of tests", .timeLimit(.minutes(2)))
struct TestProcessTests {
  @Test func `A process reads its input, writes its outputs and exits with a status`() async throws {
    let outcome = try await TestProcess(["sh", "-c", "cat; echo complaint >&2; exit 3"]).outcome(input: "words\n")
    #expect(outcome.status == .exited(3) && outcome.output == "words\n" && outcome.errors == "complaint\n")
  }

  @Test func `A process has the given environment and working directory, and no signal is ignored or blocked`()
    async throws
  {
    let process = try TestProcess(
      ["sh", "-c", "echo $NAME; pwd; grep -E '^Sig(Ign|Blk)' /proc/self/status"],
      environment: ["PATH": "/usr/bin:/bin", "NAME": "value"], directory: "/usr/share")
    let lines = try await process.outcome().output.split(separator: "\n")
    #expect(lines.count == 4 && lines[..<2] == ["value", "/usr/share"], "\(lines)")
    // Above 31 are glibc's own.
    #expect(lines.dropFirst(2).allSatisfy { UInt64($0.dropFirst(8), radix: 16).map { $0 & 0x7fff_ffff } == 0 })
  }

  @Test func `A process inherits no descriptor but its standard streams`() async throws {
    let opened = open("/dev/null", O_RDONLY)
    defer { close(opened) }
    let outcome = try await TestProcess.run(["sh", "-c", "for n in /proc/self/fd/*; do printf '%s ' ${n##*/}; done"])
    // The shell's own glob reads the folder through 3.
    #expect(Set(outcome.output.split(separator: " ")).subtracting(["3"]) == ["0", "1", "2"])
  }

  @Test(
    arguments: [
      (TestProcess.Place.ownGroup, [true, false, false]), (.ownSession, [true, true, false]),
      (.terminal, [true, true, true]),
    ])
  func `A process leads a group, a session, or the session of a terminal`(
    place: TestProcess.Place, leads: [Bool]
  ) async throws {
    let script = """
      import os
      own = os.getpid()
      print(os.getpgrp() == own, os.getsid(0) == own, all(os.isatty(n) for n in range(3)) and os.tcgetpgrp(0) == own)
      """
    let outcome = try await TestProcess(["python3", "-c", script], place: place).outcome()
    let words = leads.map { $0 ? "True" : "False" }.joined(separator: " ")
    #expect(outcome.output.trimmingCharacters(in: .newlines) == words && outcome.status == .exited(0), "\(outcome)")
  }

  @Test func `A signal reaches the process alone or its whole group`() async throws {
    let script =
      "trap 'echo outer' USR1; sh -c 'trap \"echo inner\" USR1; echo ready; while :; do sleep 0.01; done' & while :; do wait; done"
    let process = try TestProcess(["sh", "-c", script])
    try await process.output.wait(for: "ready\n")
    process.signal(SIGUSR1)
    let end = try await process.output.wait(for: "outer\n")
    #expect(!process.output.text.contains("inner"))
    process.signalGroup(SIGUSR1)
    try await process.output.wait(for: "inner\n", after: end)
    process.signalGroup(SIGKILL)
    #expect(try await process.status() == .killed(SIGKILL, coreDumped: false))
  }

  @Test func `A text is awaited after the one before, and what is not there is reported with all that was read`()
    async throws
  {
    let process = try TestProcess(["sh", "-c", "echo one two three; echo complaint >&2"])
    let end = try await process.output.wait(for: "one", "two")
    #expect(end == 7)
    #expect(try await process.output.wait(for: "three", after: end) == 13)
    let failure = await #expect(throws: TestFailure.self) { try await process.output.wait(for: "two", "one") }
    for word in ["one two three", "complaint", "has ended", "TestProcessTests.swift"] {
      #expect(failure?.description.contains(word) == true, "\(String(describing: failure))")
    }
  }

  @Test func `A wait for what does not come is bounded and reports what came`() async throws {
    let process = try TestProcess(["sh", "-c", "echo one; exec sleep 1000"])
    try await process.output.wait(for: "one")
    let failures = [
      await #expect(throws: TestFailure.self) { try await process.output.wait(for: "two", within: .milliseconds(1)) },
      await #expect(throws: TestFailure.self) { try await process.output.whole(within: .milliseconds(1)) },
      await #expect(throws: TestFailure.self) { try await process.status(within: .milliseconds(1)) },
    ]
    for failure in failures {
      #expect(failure?.description.contains("one\n") == true, "\(String(describing: failure))")
    }
    // The last of them has killed it.
    #expect(try await process.status() == .killed(SIGKILL, coreDumped: false))
  }

  @Test func `A program that is not there cannot be started, and one that fails is reported with its words`()
    async throws
  {
    #expect(throws: TestFailure.self) { try TestProcess(["no-such-program"]) }
    let failure = await #expect(throws: TestFailure.self) {
      try await TestProcess.run(["sh", "-c", "echo why >&2; exit 3"])
    }
    #expect(failure?.description.contains("why") == true)
  }

  @Test func `A write to a process that has ended is an error`() async throws {
    let process = try TestProcess(["true"])
    try await process.status()
    #expect(throws: (any Error).self) { try process.write("words\n") }
  }

  @Test func `A person types lines and control characters and changes the size of the terminal`() async throws {
    let person = try Typist(inShellKeeping: nil)
    defer { person.end() }
    try await person.waitForPrompt()
    try await person.type(command: "echo o'n'e", until: "one")
    try await person.type(line: "sed -u s/^/got-/", until: "\r\n")
    try await person.type(line: "first", until: "got-first")
    try await person.suspend()
    try person.process.resizeTerminal(rows: 33, columns: 99)
    try await person.type(command: "stty size", until: "33 99")
    #expect(!person.screen.contains("Stopped"))
    try await person.type(line: "fg", until: "sed -u", again: true)
    try person.press(control: "C")
    try await person.waitForPrompt()
    try person.type("exit 5\n")
    #expect(try await person.process.status() == .exited(5))
  }

  @Test func `A FIFO's text is read from its first writer to its last`() async throws {
    let folder = try TemporaryFolder()
    let fifo = try Fifo(folder.path("fifo"))
    let transcript = try Transcript(of: fifo)
    try await TestProcess.run(["sh", "-c", "{ echo one; echo two >&3; } >\(fifo.path) 3>&1"])
    #expect(try await transcript.whole() == "one\ntwo\n")
  }

  @Test func `A FIFO is opened for writing once somebody reads it, or not at all`() async throws {
    let folder = try TemporaryFolder()
    let unread = try Fifo(folder.path("unread"))
    await #expect(throws: TestFailure.self) { try await unread.openForWriting(within: .milliseconds(1)) }
    // Or the thread that opens it would wait for ever.
    let end = try Descriptor.open(RawString(unread.path), O_RDONLY | O_NONBLOCK)
    defer { end.close() }
    let fifo = try Fifo(folder.path("fifo"))
    let reader = try TestProcess(["cat", fifo.path])
    try await fifo.openForWriting().writeAll("words\n".utf8)
    #expect(try await reader.outcome().output == "words\n")
  }
}
