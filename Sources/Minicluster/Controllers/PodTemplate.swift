// When two pod templates are one to the Deployment's controller, and the name that a template gives its ReplicaSet.

internal import DevrunCore
internal import DevrunKube

/// The label by which pods of different templates of a Deployment are told apart
/// (https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#pod-template-hash-label).
enum PodTemplate {
  static let hashLabel = "pod-template-hash"

  /// A template without what makes no difference: the controller's label, nulls and empty lists.
  static func essence(of template: KubeObject) -> JSONValue {
    var template = template
    if template.labels[hashLabel] != nil { template.labels[hashLabel] = nil }
    return essence(of: template.json) ?? [:]
  }

  private static func essence(of value: JSONValue) -> JSONValue? {
    switch value {
    case .null: nil
    case .array(let elements): elements.isEmpty ? nil : .array(elements.map { essence(of: $0) ?? .null })
    case .object(let members):
      // An empty object may be a choice, such as `emptyDir: {}`; an empty map of labels is none.
      .object(
        members.compactMapValues { essence(of: $0) }
          .filter { !(["labels", "annotations"].contains($0.key) && $0.value == [:]) })
    default: value
    }
  }

  /// The hash in the name of a template's ReplicaSet: ten characters at most, none of which can make a word.
  ///
  /// - Parameter collisions: how many hashes of this template others had before.
  static func hash(of template: KubeObject, collisions: Int) -> String {
    var hash: UInt32 = 2_166_136_261
    for byte in essence(of: template).text + Array((collisions == 0 ? "" : "\(collisions)").utf8) {
      hash = (hash ^ UInt32(byte)) &* 16_777_619  // FNV-1a
    }
    let alphabet = Array("bcdfghjklmnpqrstvwxz2456789")
    return String(String(hash).utf8.map { alphabet[Int($0) % alphabet.count] })
  }
}

/// How far a Deployment may go above and below its number of pods while it is rolled out
/// (https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment).
struct RolloutLimits: Sendable, Hashable {
  /// How many pods there may be above the wanted number.
  var surge: Int
  /// How many of the wanted pods may be missing.
  var unavailable: Int

  /// The limits of a Deployment. They are 0 if it is recreated.
  init(of deployment: KubeObject) {
    let (strategy, wanted) = (deployment.spec["strategy"], deployment.desiredReplicas)
    guard strategy?["type"]?.string ?? "RollingUpdate" == "RollingUpdate" else {
      (surge, unavailable) = (0, 0)
      return
    }
    let update = strategy?["rollingUpdate"]
    surge = Self.number(update?["maxSurge"] ?? "25%", of: wanted, .up)
    let least = Self.number(update?["maxUnavailable"] ?? "25%", of: wanted, .down)
    // With neither, a rollout could not begin.
    unavailable = min(surge == 0 && least == 0 ? 1 : least, wanted)
  }

  /// The number that a count or a percentage is.
  static func number(_ value: JSONValue, of total: Int, _ rule: FloatingPointRoundingRule) -> Int {
    if let count = value.int { return count }
    guard let text = value.string, text.hasSuffix("%"), let percent = Int(text.dropLast()) else { return 0 }
    return Int((Double(percent) * Double(total) / 100).rounded(rule))
  }
}
