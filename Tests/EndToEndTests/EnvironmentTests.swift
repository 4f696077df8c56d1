import DevrunSystem
import DevrunCore
import DevrunPlan
import Foundation
import TestSupport
import Testing

extension EndToEnd.Insides {
  /// The child's environment.
  @Suite(
    "Environment of the command",
    .session(environment: ["OWN": "of this shell", "EMPTY": "not here", "CFG_COLOUR": "grey"]) {
      ["-t", "deployment/myapp1", "-p", "8080:\($0.port)", "-e", "GIVEN=by hand", "-e", "EQUALS=given=by=hand"]
    })
  struct Environment {
    let cluster: Cluster
    /// What the first program of the session was given.
    let child: [String: String]

    init() async throws {
      cluster = Cluster.shared
      child = try Self.parse(base64: try await SessionShell.shared.output("base64 -w0 /proc/$$/environ"))
    }

    static func parse(base64: String) throws -> [String: String] {
      let bytes = try #require(Data(base64Encoded: base64, options: .ignoreUnknownCharacters))
      let pairs = bytes.split(separator: 0).map { entry in
        let parts = entry.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
        return (
          String(decoding: parts[0], as: UTF8.self), String(decoding: parts.dropFirst().first ?? Data(), as: UTF8.self)
        )
      }
      #expect(Set(pairs.map(\.0)).count == pairs.count, "a name is there twice")
      return Dictionary(pairs, uniquingKeysWith: { first, _ in first })
    }

    @Test(
      arguments: [
        ("MULTI_LINE", "first line\n  'second' \"line\" with $HOME, `ls` and \\n in it\n\nlast line\n"),
        ("EMPTY", ""),
        ("SPACES", "  two before, two after  "),
        ("UNICODE", "grüße, 世界 ✓"),
        ("EXPANDED", "  two before, two after  |$(SPACES)|$(NO_SUCH_NAME)"),
        ("PASSWORD", "p4ss 'word' \"$1\"\nwith a second line"),
        ("SECRET_password", "p4ss 'word' \"$1\"\nwith a second line"),
        ("CFG_COLOUR", "blue"),
        ("CFG_LINES", "one\ntwo\n"),
        ("POD_RELEASE", "3"),
        ("MEMORY_LIMIT", "128"),
      ])
    func `A variable of the pod arrives exactly, whatever its value and its source`(name: String, value: String) {
      #expect(child[name] == value)
    }

    @Test func `A field reference has the value of a pod that stands for this machine`() async throws {
      let pod = try await cluster.kubectl.sessionPod()
      #expect(child["POD_NAME"] == pod.name)
      #expect(child["POD_IP"] == pod.address)
    }

    @Test func `A variable that the container lacks is absent for the command`() {
      #expect(child["ABSENT"] == nil)
    }

    @Test func `Every variable of the container's process arrives, and none of devrun's own`() async throws {
      let pod = try #require(child["POD_NAME"])
      let container = try Self.parse(base64: try await cluster.kubectl.script(in: pod, "base64 /proc/1/environ"))
      #expect(container.keys.filter { $0.uppercased().contains("DEVRUN") } == [])
      let machines: Set = ["PATH", "HOME", "LANG"]
      let adjusted = container.keys.filter { $0.contains("_SERVICE_") || $0.contains("_PORT") }
      for (name, value) in container where !machines.contains(name) && !adjusted.contains(name) && name != "EQUALS" {
        #expect(child[name] == value, "\(name)")
      }
      let known = Set(container.keys).union(cluster.user.environment.map(\.name.description))
        .union(["KUBECONFIG", "OWN", "GIVEN", "EMPTY", "CFG_COLOUR"])
      let services = child.keys.filter { $0.contains("_SERVICE_") || $0.contains("_PORT") }
      #expect(Set(child.keys).subtracting(known).subtracting(services).sorted() == [])
    }

    @Test(
      arguments: [
        "PATH", "HOME", "LANG", "USER", "SHELL", "TERM", "TMPDIR",
      ])
    func `PATH, HOME, the language and similar variables are exactly this machine's`(name: String) {
      #expect(child[name] == cluster.user.environment[RawString(name)]?.description)
    }

    @Test func `The shell's variables stay, and variables from --env win over all others`() {
      #expect(child["OWN"] == "of this shell")
      #expect(child["GIVEN"] == "by hand")
      #expect(child["EQUALS"] == "given=by=hand")
    }

    @Test func `Service variables have local addresses, except those of the API server`() async throws {
      let address = try await SessionShell.shared.output("getent ahostsv4 myapp2 | head -1 | cut -d' ' -f1")
      #expect(child["MYAPP2_SERVICE_HOST"] == address)
      #expect(child["MYAPP2_SERVICE_PORT"] == "80")
      #expect(child["MYAPP2_PORT"] == "tcp://\(address):80")
      #expect(child["MYAPP2_PORT_80_TCP_ADDR"] == address)
      let kubernetes = try await run([
        "kubectl", "-n", "default", "get", "service", "kubernetes", "-o", "jsonpath={.spec.clusterIP}",
      ])
      #expect(child["KUBERNETES_SERVICE_HOST"] == kubernetes.output)
    }
  }

  @Suite("Environment of the image")
  struct ImageEnvironment {
    @Test(.enabled(if: Settings.hasKube, "DEVRUN_E2E_KUBE names no script that makes an image"))
    func `Variables from the image arrive, and those of the manifest win over them`() async throws {
      let cluster = Cluster.shared
      let kube = try #require(cluster.settings.kube)
      let folder = "\(cluster.user.folder)/image"
      try await run(["mkdir", "-p", "\(folder)/bin", "\(folder)/tmp"])
      try await run(["sh", "-c", "cp $(command -v busybox) \(folder)/bin/ && ln -s busybox \(folder)/bin/sleep"])
      let configuration =
        #"{"Cmd":["/bin/sleep","86400"],"Env":["PATH=/bin","IMAGE_LEVEL=from the image","IMAGE_LINES=one\ntwo","OVERRIDDEN=no"]}"#
      // The node keeps this image; it is made anew, under the same name, by each run.
      try await run([kube, "image", folder, "kube-e2e/image-env:1", configuration, "\(folder).tar"])
      try await run([kube, "load", "\(folder).tar"])
      try await cluster.with(manifest: "image") {
        try await cluster.leavingNoTrace {
          let outcome = try await cluster.devrun(
            "-t", "deployment/image", "-p", "8080", "--", "sh", "-c", "base64 -w0 /proc/$$/environ")
          #expect(outcome.status == .exited(0), "\(outcome)")
          let child = try Environment.parse(base64: outcome.output)
          #expect(child["IMAGE_LEVEL"] == "from the image")
          #expect(child["IMAGE_LINES"] == "one\ntwo")
          #expect(child["OVERRIDDEN"] == "yes")
          #expect(child["PATH"] == cluster.user.environment["PATH"]?.description)
        }
      }
    }
  }
}
