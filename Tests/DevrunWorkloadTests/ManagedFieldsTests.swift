import DevrunCore
import Testing

@testable import DevrunWorkload

@Suite("Owners of fields")
struct ManagedFieldsTests {
  @Test func `Restored field owners are the recorded ones and later ones, without devrun`() {
    let recorded: JSONValue = [
      ["manager": "kubectl", "operation": "Update", "fieldsV1": ["f:spec": ["f:template": [:]]], "time": "1"],
      ["manager": "kcm", "operation": "Update", "fieldsV1": ["f:status": [:]], "time": "1"],
    ]
    let current: JSONValue = [
      ["manager": "kubectl", "operation": "Update", "fieldsV1": ["f:metadata": [:]], "time": "1"],
      ["manager": "devrun", "operation": "Update", "fieldsV1": ["f:spec": ["f:template": [:]]]],
      ["manager": "kcm", "operation": "Update", "fieldsV1": ["f:status": ["f:x": [:]]], "time": "2"],
      ["manager": "hpa", "operation": "Update", "fieldsV1": ["f:spec": ["f:replicas": [:]]], "time": "3"],
    ]
    #expect(
      ManagedFields.restored(recorded: recorded, current: current) == [
        [
          "manager": "kubectl", "operation": "Update", "fieldsV1": ["f:spec": ["f:template": [:]], "f:metadata": [:]],
          "time": "1",
        ],
        ["manager": "kcm", "operation": "Update", "fieldsV1": ["f:status": ["f:x": [:]]], "time": "2"],
        ["manager": "hpa", "operation": "Update", "fieldsV1": ["f:spec": ["f:replicas": [:]]], "time": "3"],
      ])
  }

  private static func owner(_ name: String, _ time: String, _ annotations: JSONValue) -> JSONValue {
    [
      "manager": .string(name), "time": .string(time),
      "fieldsV1": ["f:spec": ["f:template": ["f:metadata": ["f:annotations": annotations]]]],
    ]
  }

  @Test func `The first who sets an annotation of a template owns the map of annotations`() {
    let other: JSONValue = ["manager": "kcm", "fieldsV1": ["f:status": [:]], "time": "0"]
    let late = Self.owner("b", "2", ["f:x": [:]])
    #expect(
      ManagedFields.owningTemplateAnnotations([other, late, Self.owner("a", "1", ["f:y": [:]])]) == [
        other, late, Self.owner("a", "1", ["f:y": [:], ".": [:]]),
      ])
    let owned: JSONValue = [Self.owner("a", "1", ["f:y": [:]]), Self.owner("b", "2", [".": [:], "f:x": [:]])]
    #expect(ManagedFields.owningTemplateAnnotations(owned) == owned)
    #expect(ManagedFields.owningTemplateAnnotations([other]) == [other])
  }
}
