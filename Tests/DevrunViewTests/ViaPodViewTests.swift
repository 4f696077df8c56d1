import DevrunConfig
import DevrunCore
import DevrunKube
import DevrunPlan
import DevrunSystem
import Foundation
import TestSupport
import Testing

@testable import DevrunView

@Suite("Hosts of the pod's place in the command's view")
struct ViaPodViewTests {
  private let folder: TemporaryFolder
  private let directory: SessionDirectory

  init() throws {
    folder = try TemporaryFolder()
    directory = try SessionDirectory(session: "a", environment: ["XDG_RUNTIME_DIR": RawString(folder.path)])
  }

  private func view(file: String = "version: 0.1") throws -> ClusterView {
    ClusterView.make(
      of: [], addresses: nil, pod: KubeObject([:]),
      localEnv: try KubernetesLocalProcessConfig.parse(Array(file.utf8), source: "b2k.yaml"), namespace: "shop",
      domain: "cluster.local", container: [:], hostname: "here", directory: directory, reporter: Silent())
  }

  private struct Silent: Reporter {
    func report(_ event: ReportEvent) {}
  }

  @Test func `A host has a local address that leads to its name in the pod, and a network its ports`() throws {
    let view = try view()
    let texts = try ["db.example.com", "${env.NODE_IP}:8126"].map(ViaPodText.init(parsing:))
    try view.reachFromPod(texts, variables: ["NODE_IP": "10.9.8.7"])
    let hosts = try String(contentsOfFile: try view.writeHosts(), encoding: .utf8)
    let line = try #require(hosts.split(separator: "\n").first { $0.contains("\tdb.example.com ") })
    let local = try #require(IPAddress(String(line.prefix { $0 != "\t" })))
    #expect(view.destination(of: local) == "db.example.com")
    #expect(view.redirected.contains(AddressKey(local), port: 5432))
    #expect(view.redirected.contains(AddressKey(IPAddress(10, 9, 8, 7)), port: 8126))
    #expect(!view.redirected.contains(AddressKey(IPAddress(10, 9, 8, 7)), port: 22))
    #expect(view.destination(of: IPAddress(10, 9, 8, 7)) == "10.9.8.7")
    #expect(view.networksOfPod == ["10.9.8.7/32"])
  }

  @Test func `This machine's own addresses are not the pod's, unless one is named itself`() throws {
    let machine = try MachineAddresses.read().first { !$0.isLoopback } ?? IPAddress(10, 9, 0, 1)
    func redirects(_ text: String) throws -> Bool {
      let view = ClusterView(
        book: AddressBook(namespace: "shop", domain: "cluster.local"), hosts: HostsFile(reading: ""),
        directory: directory, fixed: [], machine: [machine])
      try view.reachFromPod([try ViaPodText(parsing: text)], variables: [:])
      return view.redirected.contains(AddressKey(machine), port: 22)
    }
    let half = IPNetwork(machine, prefixLength: machine.isIPv4 ? 16 : 64)?.description
    #expect(try !redirects(try #require(half)))
    #expect(try !redirects(machine.isIPv4 ? "0.0.0.0/0" : "::/0"))
    #expect(try redirects("\(machine)"))
  }

  @Test func `A session's view knows this machine's addresses`() throws {
    #expect(try view().machine == MachineAddresses.read())
  }

  @Test func `The name of a node whose network the pod shares leads to the node, and the pod's own names to here`()
    throws
  {
    func view(_ pod: KubeObject, hostname: String = "here") throws -> ClusterView {
      ClusterView.make(
        of: [], addresses: nil, pod: pod, localEnv: LocalEnvFile(merging: []), namespace: "shop",
        domain: "cluster.local", container: [:], hostname: hostname, directory: directory, reporter: Silent())
    }
    func address(_ name: String, in view: ClusterView) throws -> IPAddress {
      let line = HostsFile(reading: view.hostsText).machine.first { $0.names.contains(name) }
      return try #require(line.flatMap { IPAddress($0.address) })
    }
    var pod: KubeObject = ["metadata": ["name": "web-1"], "spec": ["nodeName": "n1.lab", "hostNetwork": true]]
    let shared = try view(pod)
    #expect(shared.destination(of: try address("n1.lab", in: shared)) == "n1.lab")
    #expect(shared.redirected.contains(try address("n1.lab", in: shared)))
    // Of a machine that is itself a node of the cluster.
    #expect(try view(pod, hostname: "n1.lab").services.isEmpty)
    pod.spec["hostNetwork"] = false
    #expect(try address("web-1", in: try view(pod)) == IPAddress(127, 0, 0, 1))
    #expect(try view(pod).services.isEmpty)
  }

  @Test func `An external endpoint on localhost redirects nothing`() throws {
    let view = try view(
      file: """
        version: 0.1
        env: [{name: A, value: "$(externalendpoints:127.0.0.1:80)"}, {name: B, value: "$(externalendpoints:localhost:80)"}]
        """)
    #expect(!view.redirected.contains(IPAddress(127, 0, 0, 1)))
    #expect(view.services.isEmpty)
  }

  @Test func `The container's variables stand in front of the shell's, but for those that stay this machine's`() {
    let variables = ChildEnvironment.plain(
      shell: ["HOME": "/home/me", "NODE_IP": "1.1.1.1", "SHELL_ONLY": "x"],
      container: ["HOME": "/", "NODE_IP": "10.9.8.7"])
    #expect(variables["HOME"] == "/home/me")
    #expect(variables["NODE_IP"] == "10.9.8.7")
    #expect(variables["SHELL_ONLY"] == "x")
  }
}
