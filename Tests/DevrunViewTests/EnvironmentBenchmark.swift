import DevrunCore
import DevrunKube
import DevrunSystem
import Foundation
import Testing

@testable import DevrunView

/// `make bench` runs it. A launch waits for this work, so it must not grow faster than the cluster.
@Suite(
  "Benchmark of the environment",
  .enabled(if: ProcessInfo.processInfo.environment["DEVRUN_BENCH"] != nil, "no benchmark"))
struct EnvironmentBenchmark {
  /// The environment of a container in a namespace with so many services, each with seven variables.
  private func environment(services count: Int) -> ChildEnvironment {
    var variables: [EnvironmentVariables.Variable] = []
    var addresses: [ServiceAddress] = []
    var book = AddressBook(namespace: "shop", domain: "cluster.local")
    for number in 0..<count {
      let ip = "10.\(number / 60000).\(number / 250 % 250).\(number % 250 + 1)"
      let service = "backend-service-\(number)"
      let prefix = "BACKEND_SERVICE_\(number)"
      let entries: [RawString] = [
        "\(prefix)_SERVICE_HOST=\(ip)", "\(prefix)_SERVICE_PORT=80", "\(prefix)_PORT=tcp://\(ip):80",
        "\(prefix)_PORT_80_TCP=tcp://\(ip):80", "\(prefix)_PORT_80_TCP_PROTO=tcp", "\(prefix)_PORT_80_TCP_PORT=80",
        "\(prefix)_PORT_80_TCP_ADDR=\(ip)",
      ].map { RawString($0) }
      variables += entries.compactMap { EnvironmentVariables.Variable(entry: $0, origin: .container) }
      addresses.append(ServiceAddress(name: service, clusterIP: ip, local: "127.77.0.1"))
      book.update([
        "metadata": ["name": .string(service), "namespace": "shop"], "spec": ["clusterIP": .string(ip)],
      ])
    }
    let services = book.entries
    return ChildEnvironment(
      shell: ["HTTP_PROXY": "http://proxy:3128"], container: EnvironmentVariables(variables),
      services: ServiceAddresses(addresses),
      proxyExceptions: { ProxyExceptions(services: services, namespace: "shop", domain: "cluster.local") })
  }

  private func seconds(services count: Int) -> Double {
    let environment = environment(services: count)
    let names = (0..<count).map { "backend-service-\($0)" }
    let times = (0..<3).map { _ in
      let time = ContinuousClock().measure {
        let result = environment.resolved(environment.base(), assigning: [])
        let listed = ServiceVariables(of: names)
        #expect(result.filter { listed.contains(name: $0.name, value: $0.value) }.count == 7 * count)
      }
      return Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
    }
    return times.min() ?? .infinity
  }

  @Test func `The environment of 2,000 services is made in at most six times the time of 500`() {
    let (few, many) = (seconds(services: 500), seconds(services: 2000))
    print("environment of 500 services: \(Int(few * 1e3)) ms, of 2,000 services: \(Int(many * 1e3)) ms")
    #expect(many < 6 * few, "\(few) s and \(many) s")
  }
}
