internal import DevrunCore

/// Checks Services.
enum ServiceValidation {
  static func check(_ spec: JSONValue, _ report: inout FieldReport) {
    let ports = spec["ports"]?.array ?? []
    let type = spec["type"]?.string ?? ""
    let isExternal = type == "ExternalName"
    if ports.isEmpty, !isExternal, spec["clusterIP"] != "None" { report.required("spec.ports") }
    if isExternal, (spec["externalName"]?.string ?? "").isEmpty { report.required("spec.externalName") }
    var names: Set<String> = []
    var numbers: Set<JSONValue> = []
    for (index, port) in ports.enumerated() {
      let path = "spec.ports[\(index)]"
      let name = port["name"]?.string ?? ""
      if name.isEmpty {
        if ports.count > 1 { report.required("\(path).name") }
      } else if let problem = NameRule.label.problem(with: name) {
        report.invalid("\(path).name", .string(name), problem)
      } else if !names.insert(name).inserted {
        report.duplicate("\(path).name", name)
      }
      PodValidation.checkPort(port["port"]?.int ?? 0, at: "\(path).port", &report)
      if let target = port["targetPort"]?.int {
        PodValidation.checkPort(target, at: "\(path).targetPort", &report)
      }
      if !numbers.insert([port["port"] ?? .null, port["protocol"] ?? .null]).inserted {
        report.add("FieldValueDuplicate", path, "Duplicate value: \(port.compactText)")
      }
    }
    let supported = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]
    if !supported.contains(type) { report.unsupported("spec.type", type, supported: supported) }
  }
}
