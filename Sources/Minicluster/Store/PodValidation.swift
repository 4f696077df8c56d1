internal import DevrunCore

/// Checks the spec of a pod, in a pod or in a template.
enum PodValidation {
  static func check(_ spec: JSONValue, at path: String, _ report: inout FieldReport) {
    var volumes: Set<String> = []
    for (index, volume) in (spec["volumes"]?.array ?? []).enumerated() {
      check(volume: volume, at: "\(path).volumes[\(index)]", &volumes, &report)
    }
    var names: Set<String> = []
    let containers = spec["containers"]?.array ?? []
    if containers.isEmpty { report.required("\(path).containers") }
    for (index, container) in containers.enumerated() {
      check(container: container, at: "\(path).containers[\(index)]", &names, volumes, &report)
    }
    for (index, container) in (spec["initContainers"]?.array ?? []).enumerated() {
      check(container: container, at: "\(path).initContainers[\(index)]", &names, volumes, &report)
    }
    check(spec["restartPolicy"], in: ["Always", "OnFailure", "Never"], at: "\(path).restartPolicy", &report)
    check(
      spec["dnsPolicy"], in: ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"], at: "\(path).dnsPolicy",
      &report)
  }

  private static func check(
    volume: JSONValue, at path: String, _ names: inout Set<String>, _ report: inout FieldReport
  ) {
    let sources = (volume.object ?? [:]).keys.filter { $0 != "name" }.sorted()
    if sources.count > 1 {
      report.forbidden("\(path).\(sources[0])", "may not specify more than 1 volume type")
    }
    checkName(volume["name"]?.string ?? "", at: "\(path).name", &names, &report)
  }

  private static func check(
    container: JSONValue, at path: String, _ names: inout Set<String>, _ volumes: Set<String>,
    _ report: inout FieldReport
  ) {
    checkName(container["name"]?.string ?? "", at: "\(path).name", &names, &report)
    if (container["image"]?.string ?? "").isEmpty { report.required("\(path).image") }
    checkPorts(container["ports"]?.array ?? [], at: "\(path).ports", &report)
    for (index, variable) in (container["env"]?.array ?? []).enumerated() {
      checkVariable(variable, at: "\(path).env[\(index)]", &report)
    }
    var places: Set<String> = []
    for (index, mount) in (container["volumeMounts"]?.array ?? []).enumerated() {
      let path = "\(path).volumeMounts[\(index)]"
      let name = mount["name"]?.string ?? ""
      if name.isEmpty {
        report.required("\(path).name")
      } else if !volumes.contains(name) {
        report.notFound("\(path).name", name)
      }
      let place = mount["mountPath"]?.string ?? ""
      if place.isEmpty {
        report.required("\(path).mountPath")
      } else if !places.insert(place).inserted {
        report.invalid("\(path).mountPath", .string(place), "must be unique")
      }
    }
    check(
      container["imagePullPolicy"], in: ["Always", "IfNotPresent", "Never"], at: "\(path).imagePullPolicy", &report)
  }

  private static func checkPorts(_ ports: [JSONValue], at path: String, _ report: inout FieldReport) {
    var names: Set<String> = []
    for (index, port) in ports.enumerated() {
      let path = "\(path)[\(index)]"
      if let name = port["name"]?.string, !names.insert(name).inserted { report.duplicate("\(path).name", name) }
      let number = port["containerPort"]?.int ?? 0
      if number == 0 {
        report.required("\(path).containerPort")
      } else {
        checkPort(number, at: "\(path).containerPort", &report)
      }
    }
  }

  /// Checks the number of a port.
  static func checkPort(_ number: Int, at path: String, _ report: inout FieldReport) {
    if !(1...65535).contains(number) {
      report.invalid(path, .int(Int64(number)), "must be between 1 and 65535, inclusive")
    }
  }

  private static func checkVariable(_ variable: JSONValue, at path: String, _ report: inout FieldReport) {
    let name = variable["name"]?.string ?? ""
    if name.isEmpty {
      report.required("\(path).name")
    } else if name.wholeMatch(of: #/[ -<>-~]+/#) == nil {
      report.invalid(
        "\(path).name", .string(name),
        "a valid environment variable name must consist only of printable ASCII characters other than '='")
    }
    guard let source = variable["valueFrom"] else { return }
    if variable["value"]?.string?.isEmpty == false {
      report.invalid("\(path).valueFrom", written: "\"\"", "may not be specified when `value` is not empty")
    } else if (source.object ?? [:]).isEmpty {
      report.invalid(
        "\(path).valueFrom", written: "\"\"",
        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`")
    }
  }

  private static func checkName(
    _ name: String, at path: String, _ names: inout Set<String>, _ report: inout FieldReport
  ) {
    if name.isEmpty {
      report.required(path)
    } else if let problem = NameRule.label.problem(with: name) {
      report.invalid(path, .string(name), problem)
    } else if !names.insert(name).inserted {
      report.duplicate(path, name)
    }
  }

  private static func check(
    _ value: JSONValue?, in supported: [String], at path: String, _ report: inout FieldReport
  ) {
    guard let value = value?.string, !supported.contains(value) else { return }
    report.unsupported(path, value, supported: supported)
  }
}
