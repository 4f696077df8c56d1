import DevrunCore
import DevrunKube
import DevrunSystem
import Testing

@testable import DevrunView

@Suite("Variables that list services")
struct ServiceLinksTests {
  private static let services: [KubeObject] = [
    [
      "metadata": ["name": "my-db", "namespace": "ns"],
      "spec": [
        "clusterIP": "10.0.0.7",
        "ports": [["name": "sql-api", "port": 5432], ["name": "dns", "port": 53, "protocol": "UDP"]],
      ],
    ],
    ["metadata": ["name": "six", "namespace": "ns"], "spec": ["clusterIP": "fd00::7", "ports": [["port": 80]]]],
    ["metadata": ["name": "headless", "namespace": "ns"], "spec": ["clusterIP": "None", "ports": [["port": 80]]]],
    ["metadata": ["name": "portless", "namespace": "ns"], "spec": ["clusterIP": "10.0.0.8"]],
    ["metadata": ["name": "outside", "namespace": "ns"], "spec": ["type": "ExternalName", "externalName": "a.b"]],
    ["metadata": ["name": "other", "namespace": "far"], "spec": ["clusterIP": "10.0.0.9", "ports": [["port": 80]]]],
  ]

  @Test func `The variables of a namespace's services are those that the kubelet makes`() {
    let entries = ServiceLinks.variables(of: Self.services, in: "ns").map(\.entry.description)
    #expect(
      entries == [
        "MY_DB_SERVICE_HOST=10.0.0.7", "MY_DB_SERVICE_PORT=5432", "MY_DB_SERVICE_PORT_SQL_API=5432",
        "MY_DB_SERVICE_PORT_DNS=53", "MY_DB_PORT=tcp://10.0.0.7:5432", "MY_DB_PORT_5432_TCP=tcp://10.0.0.7:5432",
        "MY_DB_PORT_5432_TCP_PROTO=tcp", "MY_DB_PORT_5432_TCP_PORT=5432", "MY_DB_PORT_5432_TCP_ADDR=10.0.0.7",
        "MY_DB_PORT_53_UDP=udp://10.0.0.7:53", "MY_DB_PORT_53_UDP_PROTO=udp", "MY_DB_PORT_53_UDP_PORT=53",
        "MY_DB_PORT_53_UDP_ADDR=10.0.0.7", "SIX_SERVICE_HOST=fd00::7", "SIX_SERVICE_PORT=80",
        "SIX_PORT=tcp://[fd00::7]:80", "SIX_PORT_80_TCP=tcp://[fd00::7]:80", "SIX_PORT_80_TCP_PROTO=tcp",
        "SIX_PORT_80_TCP_PORT=80", "SIX_PORT_80_TCP_ADDR=fd00::7",
      ])
  }

  @Test func `A variable of the container has its value whatever a service is named`() {
    let container: EnvironmentVariables = ["SIX_PORT": "own", "APP": "a"]
    let linked = container.linking(Self.services, in: "ns")
    #expect(linked["SIX_PORT"] == "own" && linked["APP"] == "a")
    #expect(linked["SIX_SERVICE_HOST"] == "fd00::7")
    #expect(linked["OTHER_SERVICE_HOST"] == nil)
  }
}
