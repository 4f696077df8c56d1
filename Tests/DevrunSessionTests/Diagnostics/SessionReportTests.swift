import DevrunCore
import DevrunSystem
import DevrunTunnel
import DevrunView
import Foundation
import Testing

@testable import DevrunSession

extension SessionSnapshot {
  /// A session with something of everything.
  static var example: SessionSnapshot {
    var state = SessionSnapshot(
      session: "bcdf2345", devrun: "0.1.0", process: 4711, since: Date(timeIntervalSince1970: 1_800_000_000),
      target: "deployment/web", namespace: "shop", context: "dev", server: "https://cluster:6443",
      command: "/usr/bin/python3", folder: "/dev/shm/devrun-session-bcdf2345")
    state.stage = .running
    state.container = "web"
    state.logFile = "/tmp/devrun/x.log"
    var traffic = Traffic()
    traffic.outboundConnections = 3
    traffic.inboundConnections = 2
    traffic.bytesSent = 2048
    traffic.bytesReceived = 5 << 20
    state.pods = [
      Pod(name: "web-1", tunnelSince: state.since + 60, reconnects: 1, problem: nil, traffic: traffic),
      Pod(name: "web-22", tunnelSince: nil, reconnects: 0, problem: "ContainerCreating", traffic: Traffic()),
    ]
    state.ports = [Port(remote: 80, local: 8080)]
    state.environment = [
      Variable(name: "API_SERVICE_HOST", origin: .container, value: "127.77.0.1"),
      Variable(name: "HOME", origin: .shell, value: nil), Variable(name: "PASSWORD", origin: .file, value: nil),
    ]
    state.services = [
      Service(namespace: "shop", name: "api", localAddress: "127.77.0.1", clusterAddresses: ["10.0.0.1"]),
      Service(namespace: "shop", name: "headless", localAddress: "127.77.0.2", clusterAddresses: []),
    ]
    state.names = Names(
      hostsFile: "/dev/shm/devrun-session-bcdf2345/hosts",
      hosts: [.init(address: "127.77.0.1", names: ["api", "api.shop"])], clusterDomain: "cluster.local",
      nameServers: ["10.0.0.10"], searchDomains: ["shop.svc.cluster.local", "svc.cluster.local"], redirectedAddresses: 5
    )
    state.volumes = [
      Volume(
        name: "settings", source: "configMap", containerPath: "/etc/settings",
        localPath: "/dev/shm/devrun-session-bcdf2345/volumes/settings", mountPaths: ["/etc/settings"],
        updated: state.since),
      Volume(
        name: "scratch", source: "emptyDir", containerPath: "/scratch", localPath: nil, mountPaths: [], updated: nil),
    ]
    return state
  }
}

@Suite("Report of devrun diagnose")
struct SessionReportTests {
  private let state = SessionSnapshot.example

  @Test func `The text report shows a session in aligned columns`() {
    let report = SessionReport(
      [.state(state), .silent(session: "xx", folder: "/dev/shm/devrun-session-xx", why: "its keeper does not answer")],
      now: state.since + 3661)
    #expect(
      report.text() == """
        session bcdf2345: deployment/web in namespace shop
          stage      running, since 2027-01-15T08:00:00Z (1 h 1 min)
          container  web
          command    /usr/bin/python3, held by process 4711
          cluster    https://cluster:6443 (context dev)
          log        /tmp/devrun/x.log
          folder     /dev/shm/devrun-session-bcdf2345

          pods
            web-1   tunnel up since 2027-01-15T08:01:00Z (1 h 0 min), 1 reconnects
                    connections: 3 out, 2 in; 2.0 KiB sent, 5.0 MiB received
            web-22  no tunnel: ContainerCreating, 0 reconnects
                    connections: 0 out, 0 in; 0 B sent, 0 B received

          ports
            80 of the target  -> localhost:8080

          services
            api.shop       127.77.0.1  for 10.0.0.1
            headless.shop  127.77.0.2  by name (no address in the cluster)

          hosts
            127.77.0.1  api api.shop

          DNS
            hosts file      /dev/shm/devrun-session-bcdf2345/hosts
            cluster domain  cluster.local
            the agent asks  10.0.0.10
            and looks in    shop.svc.cluster.local svc.cluster.local
            redirected      5 addresses of services and pods

          volumes
            settings  configMap at /etc/settings
                      here at /dev/shm/devrun-session-bcdf2345/volumes/settings and /etc/settings, as of 2027-01-15T08:00:00Z (1 h 1 min)
            scratch   emptyDir at /scratch
                      not fetched

          environment
            PASSWORD=***  file
            and 1 of services, 1 of this shell's own (--json names them)

        session xx: its keeper does not answer
          folder  /dev/shm/devrun-session-xx

        """)
  }

  @Test func `The text report of a connecting session shows what is known so far`() {
    let state = SessionSnapshot(
      session: "a", devrun: "0.1.0", process: 1, since: Date(timeIntervalSince1970: 0), target: "pod/x",
      namespace: "shop", context: "dev", server: "https://c", command: "/bin/true", folder: "/f")
    let text = SessionReport([.state(state)], now: Date(timeIntervalSince1970: 5)).text()
    #expect(text.contains("stage    connecting, since 1970-01-01T00:00:00Z (5 s)"))
    #expect(text.contains("none yet") && !text.contains("services"))
  }

  @Test func `The JSON report has a version, and a session's JSON decodes to the same state`() throws {
    let report = SessionReport([.state(state), .silent(session: "xx", folder: "/x", why: "no answer")])
    let json = try JSONValue(text: Array(report.json().utf8))
    #expect(json["version"] == 1)
    #expect(json["silent"] == [["session": "xx", "folder": "/x", "why": "no answer"]])
    let session = try #require(json["sessions"]?.array?.first)
    #expect(session["version"] == 1)
    #expect(session["since"] == "2027-01-15T08:00:00Z")
    #expect(session["pods"]?.array?.first?["traffic"]?["bytesReceived"] == .int(5 << 20))
    #expect(session["environment"]?.array?.last == ["name": "PASSWORD", "origin": "file"])
    #expect(session[path: "names", "hosts"] == [["address": "127.77.0.1", "names": ["api", "api.shop"]]])
    #expect(session["volumes"]?.array?.last?["localPath"] == nil)
    #expect(try SessionSnapshot.decoder.decode(SessionSnapshot.self, from: Data(state.json())) == state)
  }

  @Test func `A report without sessions is one sentence as text and empty lists as JSON`() throws {
    #expect(SessionReport([]).text() == "no session of yours lives on this machine\n")
    #expect(try JSONValue(text: Array(SessionReport([]).json().utf8)) == ["version": 1, "sessions": [], "silent": []])
  }

  @Test(
    arguments: [
      (0, "0 s"), (59, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (86399, "23 h 59 min"), (90000, "1 d 1 h"),
      (-5, "0 s"),
    ])
  func `Ages are printed in at most two units`(seconds: Double, text: String) {
    #expect(SessionReport.age(seconds) == text)
  }
}

@Suite("Origins of variables")
struct EnvironmentOriginsTests {
  @Test func `Each variable is listed with its origin, and only service variables show their values`() {
    let environment = EnvironmentVariables([
      .init(name: "WEB_SERVICE_HOST", value: "10.0.0.9", origin: .shell),
      .init(name: "HOME", value: "/home/me", origin: .shell), .init(name: "COLOUR", value: "blue", origin: .container),
      .init(name: "PASSWORD", value: "p", origin: .container),
      .init(name: "API_SERVICE_HOST", value: "127.77.0.1", origin: .container),
      .init(name: "API_PORT", value: "not an address", origin: .container),
      .init(name: "LEVEL", value: "2", origin: .file), .init(name: "GIVEN", value: "x", origin: .option),
    ])
    let variables = SessionSnapshot.Variable.list(environment, services: ["api", "web"])
    #expect(variables.map(\.name) == variables.map(\.name).sorted())
    #expect(
      variables.map { "\($0.name) \($0.origin) \($0.value ?? "***")" } == [
        "API_PORT container ***", "API_SERVICE_HOST container 127.77.0.1", "COLOUR container ***", "GIVEN option ***",
        "HOME shell ***", "LEVEL file ***", "PASSWORD container ***", "WEB_SERVICE_HOST shell ***",
      ])
  }

  @Test(
    arguments: [
      ("MY_API_SERVICE_HOST", "10.0.0.1", true), ("MY_API_SERVICE_HOST", "fd00::1", true),
      ("MY_API_SERVICE_PORT", "80", true), ("MY_API_SERVICE_PORT_HTTP", "80", true),
      ("MY_API_PORT", "tcp://10.0.0.1:80", true), ("MY_API_PORT_80_TCP", "tcp://[fd00::1]:80", true),
      ("MY_API_PORT_80_TCP_PROTO", "tcp", true), ("MY_API_PORT_80_UDP_ADDR", "10.0.0.1", true),
      ("MY_API_PORT", "tcp://user:secret@host:80", false), ("MY_API_PORT", "secret", false),
      ("MY_API_PORT", "123456", false), ("MY_API_KEY", "80", false), ("MY_API_PORT_KEY", "80", false),
      ("OTHER_SERVICE_HOST", "10.0.0.1", false), ("MY_API", "80", false),
    ])
  func `Service variables are recognised by both their name and their value`(name: String, value: String, isOne: Bool) {
    #expect(ServiceVariables(of: ["my-api"]).contains(name: RawString(name), value: RawString(value)) == isOne)
  }
}
