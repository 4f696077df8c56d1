import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Processes that are stopped while they wait for a connection", .sharingTheMachine)
struct ConnectStopTests {
  /// Runs a program whose child `pid` waits for a connection since `start`. The child ends with 7 if it gets that.
  private func run(_ program: String, waiting milliseconds: Int, as user: TestUser) async throws -> Outcome {
    let services = try ServiceFixture()
    let waiting = """
      import ctypes, os, signal, socket, subprocess, time
      pid = os.fork()
      if pid == 0:
        s = socket.create_connection(('127.201.0.5', 80))
        os._exit(7 if s.recv(100) == b'hello\\n' else 8)
      # Until it waits in its call.
      while 'seccomp' not in open(f'/proc/{pid}/wchan').read(): time.sleep(0.01)
      start = time.monotonic()

      """
    return try await services.python(waiting + program, as: user) {
      $0.routes.append(
        .init("127.201.0.5/32", acceptor: services.server.endpoint, delayMilliseconds: milliseconds))
    }
  }

  @Test(arguments: TestUser.available, ["SIGSTOP", "SIGTSTP"])
  func `A process that waits for a connection can be stopped and continued, and is then connected`(
    user: TestUser, signal: String
  ) async throws {
    let outcome = try await run(
      """
      os.kill(pid, signal.\(signal))
      print(os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1]), time.monotonic() - start < 1)
      os.kill(pid, signal.SIGCONT)
      print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
      """, waiting: 3_000, as: user)
    #expect(outcome.output == "True True\n7\n")
    #expect(outcome.errors == "")
  }

  @Test(arguments: TestUser.available)
  func `A debugger can attach to a process that waits for a connection, which is then connected`(
    user: TestUser
  ) async throws {
    let outcome = try await run(
      """
      libc = ctypes.CDLL(None)
      libc.ptrace.argtypes = [ctypes.c_long] * 4
      libc.ptrace.restype = ctypes.c_long
      seize, interrupt, detach = 0x4206, 0x4207, 17
      print(libc.ptrace(seize, pid, 0, 0), libc.ptrace(interrupt, pid, 0, 0))
      print(os.WIFSTOPPED(os.waitpid(pid, 0)[1]), time.monotonic() - start < 1)
      print(libc.ptrace(detach, pid, 0, 0), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
      """, waiting: 3_000, as: user)
    #expect(outcome.output == "0 0\nTrue True\n0 7\n")
    #expect(outcome.errors == "")
  }

  @Test(.enabled(if: isInstalled("gdb"), "gdb is not installed"), arguments: TestUser.available)
  func `gdb attaches to a process that waits for a connection, which is then connected`(user: TestUser) async throws {
    let outcome = try await run(
      """
      gdb = subprocess.run(['gdb', '--nx', '--batch', '-p', str(pid), '-ex', 'backtrace 1', '-ex', 'detach'],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
      print(f'[Inferior 1 (process {pid}) detached]' in gdb.stdout or gdb.stdout)
      print('seccomp' in open(f'/proc/{pid}/wchan').read(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
      """, waiting: 20_000, as: user)
    #expect(outcome.output == "True\nTrue 7\n", "gdb was there before the answer")
    #expect(outcome.errors == "")
  }

  // All of devrun is frozen with the command, as by a machine that goes to sleep: nobody answers the call meanwhile.
  @Test(.enabled(if: Freezer.isAvailable, "no cgroup can be frozen here"), arguments: TestUser.available)
  func `A cgroup is frozen while one of its processes waits for a connection, and goes on once it is thawed`(
    user: TestUser
  ) async throws {
    let services = try ServiceFixture()
    let freezer = try Freezer()
    var script = LaunchScript(
      plan: try LaunchFixture.plan([
        "python3", "-c",
        """
        import socket, threading, time
        thread = threading.get_native_id()
        def report():
          while 'seccomp' not in open(f'/proc/self/task/{thread}/wchan').read(): time.sleep(0.01)
          print('waits', flush=True)
        threading.Thread(target=report).start()
        print(socket.create_connection(('127.201.0.5', 80)).recv(100))
        """,
      ]))
    script.routes = [.init("127.201.0.5/32", acceptor: services.server.endpoint, delayMilliseconds: 5_000)]
    let line = try services.launches.commandLine(script, as: user)
    let process = try TestProcess(
      ["sh", "-c", "echo $$ >\(freezer.members) && exec \"$@\"", "sh"] + line, keeping: services)
    try await process.output.wait(for: "waits\n")
    try freezer.freeze(true)
    try await freezer.waitUntilFrozen()
    try freezer.freeze(false)
    let outcome = try await process.outcome()
    #expect(outcome.output == "waits\nb'hello\\n'\n")
    #expect(outcome.errors == "" && outcome.status == .exited(0))
    try await freezer.remove()
  }
}

/// A cgroup whose processes can be frozen, of either version (cgroups(7)).
private struct Freezer {
  private static let isSecondVersion = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0
  private static let parent = isSecondVersion ? "/sys/fs/cgroup" : "/sys/fs/cgroup/freezer"

  /// Whether this user may make one.
  static let isAvailable = access(parent + "/cgroup.procs", W_OK) == 0 && access(parent, W_OK) == 0

  private let path: String

  init() throws {
    path = Self.parent + "/devrun-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    try system { mkdir(path, 0o755) }
  }

  /// The file to which a process writes its number to become a member.
  var members: String { path + "/cgroup.procs" }

  func freeze(_ on: Bool) throws {
    if Self.isSecondVersion {
      try write(on ? "1" : "0", to: "cgroup.freeze")
    } else {
      try write(on ? "FROZEN" : "THAWED", to: "freezer.state")
    }
  }

  private func write(_ text: String, to file: String) throws {
    let descriptor = Descriptor(try system { open("\(path)/\(file)", O_WRONLY | O_CLOEXEC) })
    try descriptor.writeAll(text.utf8)
  }

  /// The kernel tells nobody of the first version's state, so it is read again and again; so is a list of members.
  private func wait(until isReached: () throws -> Bool, _ what: String) async throws {
    let deadline = ContinuousClock.now + .seconds(20)
    while try !isReached() {
      guard ContinuousClock.now < deadline else { throw TestFailure(what) }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  private func read(_ file: String) throws -> String { try String(contentsOfFile: "\(path)/\(file)", encoding: .utf8) }

  func waitUntilFrozen() async throws {
    try await wait(
      until: {
        try Self.isSecondVersion
          ? read("cgroup.events").contains("frozen 1") : read("freezer.state").hasPrefix("FROZEN")
      }, "the cgroup is not frozen after 20 s")
  }

  func remove() async throws {
    try await wait(until: { try read("cgroup.procs").isEmpty }, "the cgroup has processes still")
    try system { rmdir(path) }
  }
}
