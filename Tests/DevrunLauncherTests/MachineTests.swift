import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite(
  "Machines with special files and mounts", .sharingTheMachine,
  .enabled(if: PrivateMachine.isToBeHad, PrivateMachine.need))
struct MachineTests {
  /// A machine, and what must be so on it afterwards.
  struct Machine: CustomTestStringConvertible {
    var testDescription: String
    var setup: @Sendable (LaunchFixture) -> String
    var check = "true"

    static let all = [
      Machine(
        testDescription: "whose /etc/hosts is a symbolic link",
        setup: {
          "\(PrivateMachine.overEtc($0)); mkdir /etc/static; mv /etc/hosts /etc/static/; ln -s static/hosts /etc"
        },
        check: "[ -L /etc/hosts ] && ! grep private /etc/static/hosts"),
      Machine(
        testDescription: "whose /etc/hosts is a symbolic link to nothing",
        setup: { "\(PrivateMachine.overEtc($0)); rm /etc/hosts; ln -s /nowhere/hosts /etc/hosts" },
        check: "[ -L /etc/hosts ] && [ ! -e /nowhere ]"),
      Machine(
        testDescription: "without /etc/hosts", setup: { "\(PrivateMachine.overEtc($0)); rm /etc/hosts" },
        check: "[ ! -e /etc/hosts ]"),
      Machine(
        testDescription: "with a read-only root", setup: { _ in "mount -o remount,bind,ro /" },
        check: "! grep private /etc/hosts"),
      Machine(
        testDescription: "with a read-only root without /etc/hosts",
        setup: { "\(PrivateMachine.overEtc($0)); rm /etc/hosts; mount -o remount,ro /etc; mount -o remount,bind,ro /" },
        check: "[ ! -e /etc/hosts ]"),
      Machine(
        testDescription: "with an overlay as its root", setup: { PrivateMachine.overRoot($0) },
        check: "! grep private /etc/hosts"),
    ]
  }

  @Test(arguments: Machine.all, IsolationCase.all)
  func `The command alone sees its hosts file on a machine with an unusual hosts file or root`(
    _ machine: Machine, _ example: IsolationCase
  ) async throws {
    let fixture = try LaunchFixture()
    let hosts = try fixture.write("hosts", "127.201.0.1 private.of.the.test\n")
    let outcome = try await fixture.run(
      ["sh", "-c", "cat /etc/hosts; getent hosts private.of.the.test; wc -l < /etc/passwd"], on: machine.setup(fixture),
      as: example.user, check: machine.check
    ) {
      $0.plan.hostsFile = RawString(hosts)
      $0.isolate(as: example)
    }
    let accounts = try String(contentsOfFile: "/etc/passwd", encoding: .utf8).count { $0 == "\n" }
    #expect(outcome.errors == "" && outcome.status == .exited(0), "\(outcome)")
    #expect(
      outcome.output
        == "127.201.0.1 private.of.the.test\n127.201.0.1     private.of.the.test\n\(accounts)\n")
  }

  @Test(arguments: IsolationCase.all)
  func `The command resolves names from files first on a machine that asks DNS first`(
    _ example: IsolationCase
  ) async throws {
    let fixture = try LaunchFixture()
    let hosts = try fixture.write("hosts", "127.201.0.1 private.of.the.test\n")
    let file = try fixture.write("nsswitch.conf", "hosts: files dns\n")
    let outcome = try await fixture.run(
      ["getent", "hosts", "private.of.the.test"],
      on: "\(PrivateMachine.overEtc(fixture)); echo 'hosts: dns [!UNAVAIL=return] files' > /etc/nsswitch.conf",
      as: example.user, check: "grep -q '^hosts: dns' /etc/nsswitch.conf"
    ) {
      $0.plan.hostsFile = RawString(hosts)
      $0.plan.nameServiceSwitchFile = RawString(file)
      $0.isolate(as: example)
    }
    #expect(outcome.output == "127.201.0.1     private.of.the.test\n" && outcome.errors == "")
    #expect(outcome.status == .exited(0))
  }

  @Test(arguments: IsolationCase.all)
  func `The command does not find the socket of nscd`(_ example: IsolationCase) async throws {
    let fixture = try LaunchFixture()
    let hosts = try fixture.write("hosts", "127.201.0.1 private.of.the.test\n")
    let server = """
      import os, socket
      s = socket.socket(socket.AF_UNIX); s.bind("/run/nscd/socket"); os.chmod("/run/nscd/socket", 0o777); s.listen()
      open("/run/nscd/ready", "w").close()
      if os.fork(): os._exit(0)
      os.close(1); os.close(2)
      while True:
        request = s.accept()[0].recv(1000)
        if b"private.of.the.test" in request: open("\(fixture.path("asked"))", "w").close()
        if request == b"end": break
      """
    let file = try fixture.write("server.py", server)
    let outcome = try await fixture.run(
      [
        "sh", "-c",
        """
        getent hosts private.of.the.test
        for path in /run /var/run; do
          python3 -c "import socket; socket.socket(socket.AF_UNIX).connect('$path/nscd/socket')" 2>&1 | tail -1
        done
        """,
      ],
      on: "mount -t tmpfs tmpfs /run; mkdir -m 755 /run/nscd; python3 \(file); [ -S /run/nscd/socket ]",
      as: example.user, check: "python3 -c '\(Self.endServer)' && [ ! -e \(fixture.path("asked")) ]"
    ) {
      $0.plan.hostsFile = RawString(hosts)
      $0.plan.hiddenPaths = ["/run/nscd"]
      $0.isolate(as: example)
    }
    let missing = "FileNotFoundError: [Errno 2] No such file or directory\n"
    #expect(outcome.output == "127.201.0.1     private.of.the.test\n\(missing)\(missing)" && outcome.errors == "")
    #expect(outcome.status == .exited(0))
  }

  private static let endServer =
    "import socket; s = socket.socket(socket.AF_UNIX); s.connect(\"/run/nscd/socket\"); s.send(b\"end\"); s.recv(1)"

  @Test(arguments: IsolationCase.mounting)
  func `A socket below /run that its daemon makes anew is reached beside the volume there`(
    _ example: IsolationCase
  ) async throws {
    let fixture = try LaunchFixture()
    mkdir(fixture.path("volume"), 0o755)
    try fixture.write("volume/token", "secret\n")
    let server = try fixture.write(
      "server.py",
      """
      import os, socket
      def listen(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        s = socket.socket(socket.AF_UNIX); s.bind(path); os.chmod(path, 0o777); s.listen()
        return s
      paths = ["/run/daemon.socket", "/run/daemon/socket"]
      sockets = [listen(path) for path in paths]
      if os.fork(): os._exit(0)
      os.close(1); os.close(2)
      for answer in [b"first", b"second"]:
        for _ in range(2):
          for s in sockets: s.accept()[0].sendall(answer)
        for s, path in zip(sockets, paths): s.close(); os.unlink(path)
        os.rmdir("/run/daemon")
        if answer == b"first": sockets = [listen(path) for path in paths]
      """)
    let client = """
      import socket, sys, time
      def ask(path):
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        return s.recv(100).decode()
      def wait(path):
        while True:
          try:
            answer = ask(path)
            if answer: return answer
          # The view follows the machine at once, but not at the same moment.
          except OSError: time.sleep(0.01)
      for i in range(2):
        for base in ["/run", "/var/run"]:
          for name in ["daemon.socket", "daemon/socket"]: print(wait(base + "/" + name))
      print(open("/var/run/secrets/kubernetes.io/serviceaccount/token").read(), end="")
      """
    let outcome = try await fixture.run(
      ["python3", "-c", client], on: "mount -t tmpfs -o mode=755 tmpfs /run; python3 \(server)", as: example.user,
      check: "[ ! -e /run/secrets ]"
    ) {
      $0.plan.mounts = [
        .init(
          source: RawString(fixture.path("volume")), target: "/var/run/secrets/kubernetes.io/serviceaccount")
      ]
      $0.isolate(as: example)
    }
    #expect(outcome.errors == "" && outcome.status == .exited(0))
    let answers = ["first", "second"].flatMap { Array(repeating: $0, count: 4) }
    #expect(outcome.output == answers.map { "\($0)\n" }.joined() + "secret\n")
  }

  @Test(arguments: IsolationCase.mounting)
  func `File systems that are mounted below a volume's parent stay visible to the command`(
    _ example: IsolationCase
  ) async throws {
    let fixture = try LaunchFixture()
    for folder in ["volume", "parent"] { mkdir(fixture.path(folder), 0o755) }
    try fixture.write("volume/token", "secret\n")
    let parent = fixture.path("parent")
    let outcome = try await fixture.run(
      ["sh", "-c", "cd \(parent); cat disk/deep/file new/token; grep -c deep /proc/self/mountinfo"],
      on: """
        mount -t tmpfs tmpfs \(parent); mkdir \(parent)/disk; mount -t tmpfs tmpfs \(parent)/disk
        mkdir \(parent)/disk/deep; mount -t tmpfs tmpfs \(parent)/disk/deep; echo deep > \(parent)/disk/deep/file
        mount --make-unbindable \(parent)/disk/deep
        """, as: example.user, check: "[ ! -e \(parent)/new ]"
    ) {
      $0.plan.mounts = [.init(source: RawString(fixture.path("volume")), target: RawString("\(parent)/new"))]
      $0.isolate(as: example)
    }
    #expect(outcome.output.hasPrefix("deep\nsecret\n") && outcome.errors == "" && outcome.status == .exited(0))
  }

  @Test(arguments: IsolationCase.mounting)
  func `The command sees later mounts of the machine, but the machine does not see its volumes`(
    _ example: IsolationCase
  ) async throws {
    let fixture = try LaunchFixture()
    for folder in ["volume", "target", "disk"] { mkdir(fixture.path(folder), 0o755) }
    let (go, ready) = (try Fifo(fixture.path("go")).path, try Fifo(fixture.path("ready")).path)
    try fixture.write("volume/token", "secret\n")
    let disk = fixture.path("disk")
    var script = LaunchScript(
      plan: try LaunchFixture.plan([
        "sh", "-c", "echo > \(ready); read go < \(go); cat \(disk)/file",
      ]))
    script.plan.mounts = [
      .init(source: RawString(fixture.path("volume")), target: RawString(fixture.path("target")))
    ]
    script.isolate(as: example)
    let later = """
      "$@" & read line < \(ready); [ ! -e \(fixture.path("target"))/token ]
      mount -t tmpfs tmpfs \(disk); echo later > \(disk)/file; echo > \(go); wait $!
      """
    let process = try TestProcess(
      PrivateMachine.commandLine(
        "mount --make-rshared /", ["sh", "-ec", later, "sh"] + fixture.commandLine(script, as: example.user)),
      keeping: fixture)
    #expect(try await process.output.whole() == "later\n")
    #expect(try await process.errors.whole() == "")
    #expect(try await process.status() == .exited(0))
  }
}
