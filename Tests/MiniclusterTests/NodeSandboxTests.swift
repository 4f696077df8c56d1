import DevrunSystem
import Foundation
import TestSupport
import Testing
import node_trial

@Suite("The node's sandboxes", .enabled(if: NodeNeed.isMet, NodeNeed.words))
struct NodeSandboxTests {
  @Test(arguments: TestUser.available)
  func `Two pods reach each other, the node, and a service's address`(user: TestUser) async throws {
    let node = try NodeFixture(as: user)
    let one = try await node("pod", ["pod": "a"]).split(separator: " ")
    let other = try await node("pod", ["pod": "b"]).split(separator: " ")
    #expect(one[0] == "10.97.0.2")
    #expect(other[0] == "10.97.0.3")
    try await node.serve("from-b", on: 8080, in: "b")
    #expect(try await node.run(["busybox", "wget", "-qO-", "http://10.97.0.3:8080/"]) == "exited(0) from-b\n")
    try await node("service", ["text": "10.98.0.7"])
    // The node's own server is on all its addresses.
    let httpd = "busybox httpd -p 8081 -h /etc > /dev/null 2>&1"
    #expect(try await node("node", ["command": ["sh", "-c", httpd]]) == "0 ")
    for address in ["10.97.0.1", "10.98.0.7"] {
      let answer = try await node.run(["busybox", "wget", "-qO-", "http://\(address):8081/hostname"])
      #expect(answer.hasPrefix("exited(0) "), "\(answer)")
    }
    #expect(try await node("node", ["command": ["busybox", "wget", "-qO-", "http://10.97.0.3:8080/"]]) == "0 from-b\n")
    try await node.end()
  }

  @Test(arguments: TestUser.available)
  func `A container sees volumes at mount points that the machine lacks, and all else`(user: TestUser) async throws {
    let folder = try TemporaryFolder(mode: 0o755)
    try folder.write("f", "secret")
    let node = try NodeFixture(as: user)
    try await node("pod", ["pod": "a"])
    let targets = ["/etc/secrets/x", "/var/run/secrets/kubernetes.io/serviceaccount", "/data/x"]
    let files = targets.map { "\($0)/f" }.joined(separator: " ")
    let answer = try await node.run(
      ["sh", "-c", "cat \(files); cmp /etc/passwd \"$0\" && ls /usr/bin/env", "/proc/self/root/etc/passwd"],
      mounts: targets.map { [folder.path, $0] })
    #expect(answer == "exited(0) secretsecretsecret/usr/bin/env\n")
    #expect(try folder.names() == ["f"])
    #expect(!FileManager.default.fileExists(atPath: "/etc/secrets"))
    #expect(!FileManager.default.fileExists(atPath: "/data/x"))
    try await node.end()
  }

  @Test(arguments: TestUser.available)
  func `A container writes to its volumes and its own folders, never to the machine's files`(
    user: TestUser
  ) async throws {
    let folder = try TemporaryFolder(mode: 0o755)
    try folder.makeFolder("volume")
    try folder.makeFolder("machine")
    for name in ["volume", "machine"] { try user.own(folder.path(name), mode: 0o755) }
    let node = try NodeFixture(as: user)
    try await node("pod", ["pod": "a"])
    let script = """
      for f in /tmp /var/tmp /run /dev/shm /new /volume; do echo x > $f/file 2>/dev/null && echo "$f"; mkdir -p /new; done
      touch /etc/devrun-trial /usr/devrun-trial 2>/dev/null || echo refused
      touch /locked/file 2>/dev/null || echo read-only
      """
    let answer = try await node.run(
      ["sh", "-c", script],
      mounts: [[folder.path("volume"), "/volume"], [folder.path("machine"), "!/locked"]])
    #expect(answer == "exited(0) /tmp\n/var/tmp\n/run\n/dev/shm\n/new\n/volume\nrefused\nread-only\n")
    #expect(try folder.names(in: "volume") == ["file"])
    #expect(try folder.names(in: "machine") == [])
    #expect(!FileManager.default.fileExists(atPath: "/tmp/file"))
    try await node.end()
  }

  @Test func `A container is the first process of its pod's host, with nothing to read`() async throws {
    let node = try NodeFixture()
    try await node("pod", ["pod": "a"])
    let script = "echo $$; hostname; pwd; readlink /proc/self/fd/0; cat; tr '\\0' ' ' < /proc/1/cmdline | cut -c1-2"
    #expect(try await node.run(["sh", "-c", script]) == "exited(0) 1\na\n/\n/dev/null\nsh\n")
    try await node.end()
  }

  @Test func `A connection to a pod goes to the pod's own loopback address`() async throws {
    let node = try NodeFixture()
    try await node("pod", ["pod": "a"])
    try await node("pod", ["pod": "b"])
    #expect(try await node("connect", ["pod": "a", "number": 9000]).contains("connection refused"))
    let script = """
      import socket
      server = socket.create_server(("127.0.0.1", 9000))
      print("listening", flush=True)
      server.accept()[0].sendall(b"hello")
      """
    try await node("start", ["pod": "a", "container": "server", "command": ["python3", "-c", script]])
    #expect(try await node("wait", ["container": "server", "text": "listening"]) == "seen")
    #expect(try await node("connect", ["pod": "b", "number": 9000]).contains("connection refused"))
    #expect(try await node("connect", ["pod": "a", "number": 9000]) == "hello")
    try await node.end()
  }

  @Test(arguments: [
    (["nosuch"], #"exec: "nosuch": executable file not found in $PATH"#),
    (["/nosuch"], #"exec: "/nosuch": stat /nosuch: no such file or directory"#),
    (["/etc/passwd"], #"exec: "/etc/passwd": permission denied"#), (["/etc"], #"exec: "/etc": is a directory"#),
  ])
  func `A program that cannot be executed is refused in runc's words`(command: [String], words: String) async throws {
    let node = try NodeFixture()
    try await node("pod", ["pod": "a"])
    let answer = try await node.run(command)
    #expect(answer.hasSuffix("unable to start container process: error during container init: \(words): unknown"))
    try await node.end()
  }

  @Test func `A command that is added to a container sees what the container sees`() async throws {
    let node = try NodeFixture()
    try await node("pod", ["pod": "a"])
    try await node.serve("inside", on: 8080, in: "a")
    let answer = try await node(
      "execute",
      ["pod": "a", "container": "server-a", "command": ["sh", "-c", "cat /tmp/index.html; readlink /proc/1/exe"]])
    #expect(answer.hasPrefix("exited(0) inside\n/"))
    #expect(answer.contains("sleep") || answer.contains("coreutils"), "\(answer)")
    try await node.end()
  }

  @Test(arguments: TestUser.available)
  func `The death of the outer process leaves no process`(user: TestUser) async throws {
    let node = try NodeFixture(as: user)
    let pod = try await node("pod", ["pod": "a"]).split(separator: " ")
    let holder = try watched(try #require(Int32(pod[1])))
    let script = "(setsid sleep 600 &) ; echo started; exec sleep 600"
    let container = try await node("start", ["pod": "a", "container": "c", "command": ["sh", "-c", script]])
    let first = try watched(try #require(Int32(container)))
    _ = try await node("wait", ["container": "c", "text": "started"])
    node.process.signal(SIGKILL)
    expectEnd(of: [holder, first])
    // All processes that could write to it.
    try await node.process.output.whole()
  }

  @Test func `The kill of a container ends what left its session`() async throws {
    let node = try NodeFixture()
    try await node("pod", ["pod": "a"])
    let script = "(setsid sleep 600 &) ; echo started; exec sleep 600"
    try await node("start", ["pod": "a", "container": "c", "command": ["sh", "-c", script]])
    _ = try await node("wait", ["container": "c", "text": "started"])
    try await node("signal", ["container": "c", "number": Int(SIGKILL)])
    // The end of its output comes when nobody is left that could write.
    #expect(try await node("end", ["container": "c"]) == "killed(signal: 9) started\n")
    #expect(try await node("remove", ["pod": "a"]) == "removed")
    #expect(try await node("node", ["command": ["ip", "-br", "link", "show", "type", "veth"]]) == "0 ")
    try await node.end()
  }
}
