// The cluster's one node as an object, and the part of a scheduler that one node needs.

internal import DevrunCore
internal import DevrunKube
internal import Glibc

/// The node as the API shows it.
struct NodeDescription: Sendable {
  /// The node's name.
  static let name = "minicluster"

  /// The node's address.
  var address: String
  /// What it has to give.
  var capacity: NodeCapacity
  /// The architecture, as the label `kubernetes.io/arch` has it.
  var architecture: String
  /// The kernel's release.
  var kernel: String

  /// This machine as a node.
  init(address: String) {
    self.address = address
    var system = utsname()
    uname(&system)
    architecture =
      switch Self.text(&system.machine) {
      case "x86_64": "amd64"
      case "aarch64": "arm64"
      case let other: other
      }
    kernel = Self.text(&system.release)
    let page = sysconf(Int32(_SC_PAGESIZE))
    var files = statvfs()
    let hasFiles = statvfs("/", &files) == 0
    capacity = NodeCapacity(
      cpu: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))), memory: page * sysconf(Int32(_SC_PHYS_PAGES)),
      ephemeralStorage: hasFiles ? Int(files.f_blocks) * Int(files.f_frsize) : 0)
  }

  private static func text<Field>(_ field: inout Field) -> String {
    withUnsafeBytes(of: &field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  /// The node's labels.
  var labels: [String: String] {
    [
      "kubernetes.io/arch": architecture, "kubernetes.io/os": "linux", "kubernetes.io/hostname": Self.name,
      "beta.kubernetes.io/arch": architecture, "beta.kubernetes.io/os": "linux",
    ]
  }

  /// The node's object. It is always ready: the cluster ends with it.
  func object(now: WallTime) -> KubeObject {
    let amounts: JSONValue = [
      "cpu": .string("\(capacity.cpu)"), "memory": .string("\(capacity.memory / 1024)Ki"),
      "ephemeral-storage": .string("\(capacity.ephemeralStorage / 1024)Ki"), "pods": "110",
    ]
    func condition(_ type: String, _ isTrue: Bool, _ reason: String, _ message: String) -> JSONValue {
      [
        "type": .string(type), "status": isTrue ? "True" : "False", "reason": .string(reason),
        "message": .string(message), "lastHeartbeatTime": .string(now.text), "lastTransitionTime": .string(now.text),
      ]
    }
    var node: KubeObject = ["apiVersion": "v1", "kind": "Node", "metadata": ["name": .string(Self.name)], "spec": [:]]
    node.labels = labels
    node.json["status"] = [
      "addresses": [
        ["type": "InternalIP", "address": .string(address)], ["type": "Hostname", "address": .string(Self.name)],
      ],
      "capacity": amounts, "allocatable": amounts,
      "conditions": [
        condition("MemoryPressure", false, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        condition("DiskPressure", false, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        condition("PIDPressure", false, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        condition("Ready", true, "KubeletReady", "kubelet is posting ready status"),
      ],
      "nodeInfo": [
        "architecture": .string(architecture), "operatingSystem": "linux", "kernelVersion": .string(kernel),
        "kubeletVersion": "v1.34.0+minicluster", "kubeProxyVersion": "v1.34.0+minicluster",
        "containerRuntimeVersion": "minicluster://1", "osImage": "this machine", "bootID": "", "machineID": "",
        "systemUUID": "",
      ],
    ]
    return node
  }

  /// Why a pod cannot run on the node, in the scheduler's words. `nil` if it can.
  ///
  /// - Parameter claim: reads a persistent volume claim of the pod's namespace.
  func refusal(of pod: KubeObject, claim: (String) -> KubeObject?) -> String? {
    let wanted = pod.spec["nodeSelector"]?.stringMap ?? [:]
    if wanted.contains(where: { labels[$0.key] != $0.value }) {
      return "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
    }
    let required = pod.spec[path: "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"]
    if let terms = required?["nodeSelectorTerms"]?.array, !terms.contains(where: fits) {
      return "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
    }
    for volume in pod.volumes {
      guard let name = volume[path: "persistentVolumeClaim", "claimName"]?.string else { continue }
      guard claim(name) != nil else {
        return "0/1 nodes are available: 1 persistentvolumeclaim \"\(name)\" not found."
      }
      return "0/1 nodes are available: 1 pod has unbound immediate PersistentVolumeClaims."
    }
    return nil
  }

  private func fits(_ term: JSONValue) -> Bool {
    let fields = ["metadata.name": Self.name]
    return (term["matchExpressions"]?.array ?? []).allSatisfy { fits($0, labels) }
      && (term["matchFields"]?.array ?? []).allSatisfy { fits($0, fields) }
  }

  private func fits(_ requirement: JSONValue, _ values: [String: String]) -> Bool {
    let value = requirement["key"]?.string.flatMap { values[$0] }
    let wanted = (requirement["values"]?.array ?? []).compactMap(\.string)
    return switch requirement["operator"]?.string {
    case "In": value.map(wanted.contains) ?? false
    case "NotIn": !(value.map(wanted.contains) ?? false)
    case "Exists": value != nil
    case "DoesNotExist": value == nil
    default: false
    }
  }
}

extension KubeObject {
  /// A pod's quality of service (https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/).
  var qosClass: String {
    let all = containers + (spec["initContainers"]?.array ?? []).map(Container.init)
    var (isGuaranteed, isBestEffort) = (true, true)
    for container in all {
      let limits = container.json[path: "resources", "limits"]
      let requests = container.json[path: "resources", "requests"]
      for name in ["cpu", "memory"] {
        let (limit, request) = (PodQuantity(limits?[name]), PodQuantity(requests?[name]))
        if limit != nil || request != nil { isBestEffort = false }
        if limit == nil || request.map({ $0 != limit }) ?? false { isGuaranteed = false }
      }
    }
    return isBestEffort ? "BestEffort" : isGuaranteed ? "Guaranteed" : "Burstable"
  }
}
