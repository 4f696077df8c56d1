import DevrunCore
import DevrunKube
import Minicluster
import Testing

@Suite("Patches in the minicluster")
struct StorePatchTests {
  private static let document: JSONValue = [
    "metadata": ["labels": ["a/b": "1", "c~d": "2"]], "list": ["x", "y"], "number": 1,
  ]

  struct PatchCase: Sendable {
    var operations: JSONValue
    /// The result; `nil` if the patch does not fit.
    var result: JSONValue?
    init(_ operations: JSONValue, _ result: JSONValue?) {
      self.operations = operations
      self.result = result
    }
  }

  private static func with(list: JSONValue) -> JSONValue {
    var changed = document
    changed["list"] = list
    return changed
  }

  private static func with(labels: JSONValue) -> JSONValue {
    var changed = document
    changed["metadata"] = ["labels": labels]
    return changed
  }

  static let cases: [PatchCase] = [
    PatchCase([], document),
    PatchCase([["op": "add", "path": "/list/-", "value": "z"]], with(list: ["x", "y", "z"])),
    PatchCase([["op": "add", "path": "/list/0", "value": "z"]], with(list: ["z", "x", "y"])),
    PatchCase([["op": "add", "path": "/list/2", "value": "z"]], with(list: ["x", "y", "z"])),
    PatchCase([["op": "add", "path": "/list/3", "value": "z"]], nil),
    PatchCase([["op": "add", "path": "/list/01", "value": "z"]], nil),
    PatchCase([["op": "add", "path": "/list/-1", "value": "z"]], nil),
    PatchCase([["op": "add", "path": "/absent/member", "value": 1]], nil),
    PatchCase([["op": "add", "path": "/number/member", "value": 1]], nil),
    PatchCase([["op": "add", "path": "/list"]], nil),
    PatchCase([["op": "add", "path": "", "value": 5]], 5),
    PatchCase([["op": "replace", "path": "/list/1", "value": "z"]], with(list: ["x", "z"])),
    PatchCase([["op": "replace", "path": "/list/-", "value": "z"]], nil),
    PatchCase([["op": "replace", "path": "/absent", "value": 1]], nil),
    PatchCase([["op": "remove", "path": "/list/0"]], with(list: ["y"])),
    PatchCase([["op": "remove", "path": "/list/2"]], nil),
    PatchCase([["op": "remove", "path": "/absent"]], nil),
    PatchCase([["op": "remove", "path": "/metadata/labels/a~1b"]], with(labels: ["c~d": "2"])),
    PatchCase(
      [["op": "replace", "path": "/metadata/labels/c~0d", "value": "3"]], with(labels: ["a/b": "1", "c~d": "3"])),
    PatchCase([["op": "test", "path": "/metadata/labels", "value": ["c~d": "2", "a/b": "1"]]], document),
    PatchCase([["op": "test", "path": "/number", "value": 2]], nil),
    PatchCase([["op": "test", "path": "/absent", "value": nil]], document),
    PatchCase([["op": "move", "from": "/list/0", "path": "/list/1"]], with(list: ["y", "x"])),
    PatchCase([["op": "copy", "from": "/list/0", "path": "/list/-"]], with(list: ["x", "y", "x"])),
    PatchCase([["op": "copy", "from": "/absent", "path": "/list/-"]], nil),
    PatchCase([["op": "move", "path": "/list/-"]], nil),
    PatchCase([["op": "erase", "path": "/list"]], nil),
    PatchCase([["op": "remove", "path": "list"]], nil),
    PatchCase([["op": "remove", "path": "/list"], ["op": "test", "path": "/number", "value": 2]], nil),
  ]

  @Test(arguments: cases)
  func `A JSON patch is applied whole, or refused with 422 and changes nothing`(_ patch: PatchCase) throws {
    var value = Self.document
    if let result = patch.result {
      try JSONPatchDocument(patch.operations).apply(to: &value)
      #expect(value == result)
    } else {
      let failure = #expect(throws: APIFailure.self) {
        try JSONPatchDocument(patch.operations).apply(to: &value)
      }
      #expect(failure?.status.code == 422)
      #expect(failure?.status.reason == "Invalid")
      #expect(failure?.status.message == "the server rejected our request due to an error in our request")
      #expect(value == Self.document)
    }
  }

  @Test func `A JSON patch that is no list is refused as a bad request`() {
    let failure = #expect(throws: APIFailure.self) { try JSONPatchDocument(["op": "add"]) }
    #expect(failure?.status.code == 400)
    #expect(failure?.status.message == "json: cannot unmarshal object into Go value of type jsonpatch.Patch")
  }

  /// The cases of RFC 7396, appendix A: the value, the patch, the result.
  static let merges: [[JSONValue]] = [
    [["a": "b"], ["a": "c"], ["a": "c"]],
    [["a": "b"], ["b": "c"], ["a": "b", "b": "c"]],
    [["a": "b"], ["a": nil], [:]],
    [["a": "b", "b": "c"], ["a": nil], ["b": "c"]],
    [["a": ["b"]], ["a": "c"], ["a": "c"]],
    [["a": "c"], ["a": ["b"]], ["a": ["b"]]],
    [["a": ["b": "c"]], ["a": ["b": "d", "c": nil]], ["a": ["b": "d"]]],
    [["a": [["b": "c"]]], ["a": [1]], ["a": [1]]],
    [["a", "b"], ["c", "d"], ["c", "d"]],
    [["a": "b"], ["c"], ["c"]],
    [["a": "foo"], nil, nil],
    [["a": "foo"], "bar", "bar"],
    [["e": nil], ["a": 1], ["e": nil, "a": 1]],
    [[1, 2], ["a": "b", "c": nil], ["a": "b"]],
    [[:], ["a": ["bb": ["ccc": nil]]], ["a": ["bb": [:]]]],
  ]

  @Test(arguments: merges)
  func `A merge patch gives what RFC 7396 lists`(_ merge: [JSONValue]) {
    var value = merge[0]
    MergePatch.apply(merge[1], to: &value)
    #expect(value == merge[2])
  }
}
