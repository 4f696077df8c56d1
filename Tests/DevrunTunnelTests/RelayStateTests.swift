import Testing

@testable import DevrunTunnel

@Suite struct RelayStateTests {
  enum Event: Sendable {
    case inputEnded(RelaySide)
    case failed(RelaySide)
    case closed(RelaySide)
  }

  struct Story: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var wholes: Set<RelaySide>
    var steps: [(Event, [RelayAction])]

    init(_ name: String, wholes: Set<RelaySide> = [], _ steps: (Event, [RelayAction])...) {
      testDescription = name
      self.wholes = wholes
      self.steps = steps
    }
  }

  @Test(arguments: [
    Story("half-close one way leaves the other way open", (.inputEnded(.near), [.closeOutput(.far)])),
    Story(
      "both ways end, then both close",
      (.inputEnded(.near), [.closeOutput(.far)]), (.inputEnded(.far), [.closeOutput(.near)]),
      (.closed(.far), []), (.closed(.near), [])),
    Story(
      "a side that closes after it was told the end, but without its own, has broken off",
      (.inputEnded(.near), [.closeOutput(.far)]), (.closed(.far), [.reset(.near)]), (.closed(.near), [])),
    Story("a side that closes without an end has broken off", (.closed(.near), [.reset(.far)]), (.closed(.far), [])),
    Story(
      "a side that said its end and then closes before the other's end has broken off",
      (.inputEnded(.near), [.closeOutput(.far)]), (.closed(.near), [.reset(.far)])),
    Story(
      "a reset is passed on, once", (.failed(.far), [.reset(.far), .reset(.near)]), (.failed(.far), []),
      (.closed(.far), []), (.failed(.near), []), (.closed(.near), [])),
    Story(
      "a reset after a half-close is passed on",
      (.inputEnded(.far), [.closeOutput(.near)]), (.failed(.near), [.reset(.near), .reset(.far)])),
    Story("an end is told once", (.inputEnded(.near), [.closeOutput(.far)]), (.inputEnded(.near), [])),
    Story("nothing is done to a side that is gone", (.closed(.near), [.reset(.far)]), (.inputEnded(.far), [])),
    Story(
      "a side without half-close ends by closing, and the other is drained", wholes: [.far],
      (.closed(.far), [.closeOutput(.near), .drain(.near)]), (.inputEnded(.near), []), (.closed(.near), [])),
    Story(
      "a side without half-close closes after the other's end", wholes: [.far],
      (.inputEnded(.near), [.closeOutput(.far)]), (.closed(.far), [.closeOutput(.near)]), (.closed(.near), [])),
    Story(
      "what comes for a side without half-close that is gone breaks the other off", wholes: [.far],
      (.closed(.far), [.closeOutput(.near), .drain(.near)]), (.failed(.near), [.reset(.near)]), (.closed(.near), [])),
    Story(
      "a side without half-close that fails has broken off", wholes: [.far],
      (.failed(.far), [.reset(.far), .reset(.near)]), (.closed(.far), []), (.closed(.near), [])),
    Story(
      "beside one without half-close, a side that closes without an end has broken off", wholes: [.far],
      (.closed(.near), [.reset(.far)]), (.closed(.far), [])),
  ])
  func `A relay passes an end or a reset of one side on to the other side`(story: Story) {
    var state = RelayState(wholes: story.wholes)
    for (event, actions) in story.steps {
      switch event {
      case .inputEnded(let side): #expect(state.inputEnded(on: side) == actions)
      case .failed(let side): #expect(state.failed(on: side) == actions)
      case .closed(let side): #expect(state.closed(on: side) == actions)
      }
    }
  }
}
