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
}
