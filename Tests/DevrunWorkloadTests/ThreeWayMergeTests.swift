import DevrunCore
import Testing

@testable import DevrunWorkload

@Suite("Three-way merge")
struct ThreeWayMergeTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var original: JSONValue?
    var changed: JSONValue?
    var current: JSONValue?
    var expected: JSONValue?
  }

  static let cases: [Case] = [
    Case(
      testDescription: "nobody else changed it", original: ["a": 1], changed: ["a": 2], current: ["a": 2],
      expected: ["a": 1]),
    Case(
      testDescription: "somebody changed another member", original: ["a": 1, "b": 1], changed: ["a": 2, "b": 1],
      current: ["a": 2, "b": 3], expected: ["a": 1, "b": 3]),
    Case(
      testDescription: "somebody changed the same member: theirs stays", original: ["a": 1], changed: ["a": 2],
      current: ["a": 3], expected: ["a": 3]),
    Case(
      testDescription: "what we added goes, what others added stays", original: [:], changed: ["ours": 1],
      current: ["ours": 1, "theirs": 2], expected: ["theirs": 2]),
    Case(
      testDescription: "what we removed comes back", original: ["gone": 1, "a": 1], changed: ["a": 1],
      current: ["a": 2], expected: ["gone": 1, "a": 2]),
    Case(
      testDescription: "what others removed stays away", original: ["a": 1, "b": 1], changed: ["a": 2, "b": 1],
      current: ["a": 2], expected: ["a": 1]),
    Case(
      testDescription: "an object that we made goes as a whole", original: ["a": 1],
      changed: ["a": 1, "probe": ["exec": 1]], current: ["a": 9, "probe": ["exec": 1]], expected: ["a": 9]),
    Case(
      testDescription: "containers are told apart by name",
      original: ["containers": [["name": "app", "command": "old"], ["name": "side", "image": "1"]]],
      changed: ["containers": [["name": "app", "command": "ours"], ["name": "side", "image": "1"]]],
      current: ["containers": [["name": "side", "image": "2"], ["name": "app", "command": "ours"]]],
      expected: ["containers": [["name": "side", "image": "2"], ["name": "app", "command": "old"]]]),
    Case(
      testDescription: "an element that others put before another stays there",
      original: [["name": "a"], ["name": "url", "value": "x"]],
      changed: [["name": "a"], ["name": "url", "value": "x"], ["name": "ours"]],
      current: [["name": "a"], ["name": "new"], ["name": "url", "value": "$(new)"], ["name": "ours"]],
      expected: [["name": "a"], ["name": "new"], ["name": "url", "value": "$(new)"]]),
    Case(
      testDescription: "an element that we removed comes back to its place",
      original: [["name": "first"], ["name": "a"], ["name": "gone"], ["name": "b"]],
      changed: [["name": "a"], ["name": "b"]], current: [["name": "a"], ["name": "b", "x": 1], ["name": "new"]],
      expected: [["name": "first"], ["name": "a"], ["name": "gone"], ["name": "b", "x": 1], ["name": "new"]]),
    Case(
      testDescription: "mounts are told apart by path",
      original: [["name": "v", "mountPath": "/a"], ["name": "v", "mountPath": "/b"]],
      changed: [
        ["name": "v", "mountPath": "/a"], ["name": "v", "mountPath": "/b"], ["name": "w", "mountPath": "/w"],
      ],
      current: [
        ["name": "v", "mountPath": "/a"], ["name": "v", "mountPath": "/b"], ["name": "w", "mountPath": "/w"],
        ["name": "x", "mountPath": "/x"],
      ],
      expected: [
        ["name": "v", "mountPath": "/a"], ["name": "v", "mountPath": "/b"], ["name": "x", "mountPath": "/x"],
      ]),
    Case(
      testDescription: "a list without names is one value", original: ["args": ["a"]], changed: ["args": ["b"]],
      current: ["args": ["b", "c"]], expected: ["args": ["b", "c"]]),
    Case(
      testDescription: "an array that we made goes when nothing is left in it", original: ["x": 1],
      changed: ["x": 1, "volumes": [["name": "ours"]]], current: ["x": 2, "volumes": [["name": "ours"]]],
      expected: ["x": 2]),
  ]

  @Test(arguments: cases) func `Undoing devrun's change to an object keeps the changes of others`(_ row: Case) {
    #expect(ThreeWayMerge.undo(original: row.original, changed: row.changed, current: row.current) == row.expected)
  }
}
