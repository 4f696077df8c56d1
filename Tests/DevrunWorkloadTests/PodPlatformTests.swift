import DevrunCore
import DevrunKube
import Testing

@testable import DevrunWorkload

@Suite("Platform of pods") struct PodPlatformTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var spec: JSONValue
    var refused: WorkloadError?
  }

  private static func affinity(_ terms: JSONValue...) -> JSONValue {
    [
      "affinity": [
        "nodeAffinity": ["requiredDuringSchedulingIgnoredDuringExecution": ["nodeSelectorTerms": .array(terms)]]
      ]
    ]
  }

  private static func term(_ key: String, _ comparison: String, _ values: String...) -> JSONValue {
    var expression: JSONValue = ["key": .string(key), "operator": .string(comparison)]
    if !values.isEmpty { expression["values"] = .array(values.map(JSONValue.string)) }
    return ["matchExpressions": [["key": "pool", "operator": "Exists"], expression]]
  }

  private static let windows = WorkloadError.otherArchitecture(wanted: "windows", payload: "linux")
  private static let arm = WorkloadError.otherArchitecture(wanted: "arm64", payload: "amd64")

  static let cases = [
    Case(testDescription: "nothing", spec: [:]),
    Case(testDescription: "os.name linux", spec: ["os": ["name": "linux"]]),
    Case(testDescription: "os.name windows", spec: ["os": ["name": "windows"]], refused: windows),
    Case(testDescription: "os label", spec: ["nodeSelector": ["kubernetes.io/os": "windows"]], refused: windows),
    Case(
      testDescription: "os label, beta", spec: ["nodeSelector": ["beta.kubernetes.io/os": "windows"]], refused: windows),
    Case(testDescription: "arch label", spec: ["nodeSelector": ["kubernetes.io/arch": "arm64"]], refused: arm),
    Case(
      testDescription: "arch label, beta", spec: ["nodeSelector": ["beta.kubernetes.io/arch": "arm64"]], refused: arm),
    Case(
      testDescription: "beta labels of this platform",
      spec: [
        "nodeSelector": ["beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux"]
      ]),
    Case(testDescription: "affinity In", spec: affinity(term("kubernetes.io/arch", "In", "arm64")), refused: arm),
    Case(testDescription: "affinity In, both", spec: affinity(term("kubernetes.io/arch", "In", "arm64", "amd64"))),
    Case(
      testDescription: "affinity In, beta", spec: affinity(term("beta.kubernetes.io/os", "In", "windows")),
      refused: windows),
    Case(
      testDescription: "affinity NotIn", spec: affinity(term("kubernetes.io/os", "NotIn", "linux")),
      refused: .otherArchitecture(wanted: "nodes whose label kubernetes.io/os is not linux", payload: "linux")),
    Case(testDescription: "affinity NotIn another", spec: affinity(term("kubernetes.io/arch", "NotIn", "arm64"))),
    Case(
      testDescription: "affinity DoesNotExist", spec: affinity(term("kubernetes.io/arch", "DoesNotExist")),
      refused: .otherArchitecture(wanted: "nodes without the label kubernetes.io/arch", payload: "amd64")),
    Case(testDescription: "affinity Exists", spec: affinity(term("kubernetes.io/arch", "Exists"))),
    Case(
      testDescription: "one term of two",
      spec: affinity(term("kubernetes.io/arch", "In", "arm64"), term("kubernetes.io/arch", "In", "amd64"))),
    Case(
      testDescription: "both terms",
      spec: affinity(term("kubernetes.io/arch", "In", "arm64"), term("kubernetes.io/os", "In", "windows")),
      refused: arm),
    Case(
      testDescription: "a preference",
      spec: [
        "affinity": [
          "nodeAffinity": [
            "preferredDuringSchedulingIgnoredDuringExecution": [
              ["weight": 1, "preference": term("kubernetes.io/arch", "In", "arm64")]
            ]
          ]
        ]
      ]),
  ]

  @Test(arguments: cases)
  func `The agent is refused for pods that must run on another platform`(_ row: Case) throws {
    var template = AgentTemplateTests.original
    for (key, value) in row.spec.object ?? [:] { template.spec[key] = value }
    guard let refused = row.refused else {
      _ = try SessionPodTests.object(SessionPodTests.pod(template))
      let selector = try AgentTemplateTests.agent.applied(to: template).spec["nodeSelector"]
      #expect(selector?["kubernetes.io/os"] == "linux")
      #expect(selector?["kubernetes.io/arch"] == "amd64")
      return
    }
    #expect(throws: refused) { try AgentTemplateTests.agent.check(template) }
    #expect(throws: refused) { try AgentTemplateTests.agent.applied(to: template) }
    #expect(throws: refused) { try SessionPodTests.object(SessionPodTests.pod(template)) }
  }
}
