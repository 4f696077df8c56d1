import DevrunCore
import DevrunKube
import Testing

@testable import DevrunWorkload

@Suite("The app after a session")
struct AvailabilityTests {
  private static func app(_ available: Int, of wanted: Int) -> Availability {
    Availability(available: available, wanted: wanted)
  }

  @Test(
    arguments: [
      (app(2, of: 2), app(0, of: 2), "deployment/web is restored; 0 of 2 pods available so far"),
      (app(1, of: 1), app(1, of: 3), "deployment/web is restored; 1 of 3 pods available so far"),
      (app(2, of: 2), app(2, of: 2), "deployment/web is restored"),
      (app(2, of: 2), app(0, of: 0), "deployment/web is restored"),
      (app(2, of: 2), nil, "deployment/web is restored"),
      (app(0, of: 2), app(0, of: 2), "deployment/web is restored"),
    ])
  func `What is missing is named, if nothing was missing before`(
    before: Availability, after: Availability?, words: String
  ) {
    #expect(Availability.wordsAfterRestore(of: "deployment/web", before: before, after: after) == words)
  }

  @Test func `A Deployment without a status or a number of replicas asks for one pod and has none`() {
    #expect(Availability(of: KubeObject(["spec": [:]])) == Availability(available: 0, wanted: 1))
    let whole: KubeObject = ["spec": ["replicas": 3], "status": ["availableReplicas": 2]]
    #expect(Availability(of: whole) == Availability(available: 2, wanted: 3))
  }
}
