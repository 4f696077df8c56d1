import DevrunConfig
import DevrunPlan
import DevrunWorkload
import Testing

@testable import DevrunSession

@Suite("Options of a session")
struct SessionOptionsTests {
  @Test(
    arguments: [
      (nil, true, .listen), (nil, false, .now), (.listen, false, .listen), (.now, true, .now), (.never, true, nil),
    ] as [(TakeOver?, Bool, TakeOver?)])
  func `Traffic is taken when the command listens, unless the container has no ports or the user says otherwise`(
    asked: TakeOver?, hasPorts: Bool, expected: TakeOver?
  ) {
    var options = SessionOptions(
      target: .newPod(image: nil), container: nil, ports: [], localEnv: LocalEnvFile(merging: []), variables: [])
    options.takeOver = asked
    let ports = hasPorts ? [PortMapping(remote: 80, local: 8080)] : []
    #expect(options.takeOver(of: ContainerChoice(name: "app", ports: ports)) == expected)
  }
}
