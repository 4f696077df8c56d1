internal import DevrunCore
internal import DevrunKube

extension Table {
  /// ConfigMaps.
  static let configMaps = Table([Column("Name"), Column("Data"), Column("Age")]) { map in
    [.string(map.name), count(map.json["data"], map.json["binaryData"]), age(of: map)]
  }

  /// Secrets.
  static let secrets = Table([Column("Name"), Column("Type"), Column("Data"), Column("Age")]) { secret in
    [.string(secret.name), text(secret.json["type"]?.string), count(secret.json["data"]), age(of: secret)]
  }

  /// ServiceAccounts.
  static let serviceAccounts = Table([Column("Name"), Column("Secrets"), Column("Age")]) { account in
    [.string(account.name), .int(Int64(account.json["secrets"]?.array?.count ?? 0)), age(of: account)]
  }

  /// Namespaces.
  static let namespaces = Table([Column("Name"), Column("Status"), Column("Age")]) { namespace in
    [.string(namespace.name), text(namespace.status["phase"]?.string), age(of: namespace)]
  }

  /// PersistentVolumeClaims.
  static let persistentVolumeClaims = Table([
    Column("Name"), Column("Status"), Column("Volume"), Column("Capacity"), Column("Access Modes"),
    Column("StorageClass"), Column("Age"), Column("VolumeMode", isWide: true),
  ]) { claim in
    let empty: JSONValue = ""
    return [
      .string(claim.name), text(claim.status["phase"]?.string), claim.spec["volumeName"] ?? empty,
      claim.status["capacity"]?["storage"] ?? empty,
      text((claim.spec["accessModes"]?.array ?? []).compactMap(\.string)),
      claim.spec["storageClassName"] ?? empty, age(of: claim), claim.spec["volumeMode"] ?? "Filesystem",
    ]
  }

  /// Nodes.
  static let nodes = Table([
    Column("Name"), Column("Status"), Column("Roles"), Column("Age"), Column("Version"),
    Column("Internal-IP", isWide: true), Column("External-IP", isWide: true), Column("OS-Image", isWide: true),
    Column("Kernel-Version", isWide: true), Column("Container-Runtime", isWide: true),
  ]) { node in
    let isReady = node.message(ofCondition: "Ready", being: "True") != nil
    let isClosed = node.spec["unschedulable"]?.bool == true
    let prefix = "node-role.kubernetes.io/"
    let roles = node.labels.keys.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }.sorted()
    let nodeInfo = node.status["nodeInfo"] ?? [:]
    func address(_ type: String) -> JSONValue {
      text((node.status["addresses"]?.array ?? []).first { $0["type"]?.string == type }?["address"]?.string)
    }
    func info(_ name: String) -> JSONValue { .string(nodeInfo[name]?.string ?? "<unknown>") }
    return [
      .string(node.name), .string((isReady ? "Ready" : "NotReady") + (isClosed ? ",SchedulingDisabled" : "")),
      text(roles), age(of: node), text(nodeInfo["kubeletVersion"]?.string), address("InternalIP"),
      address("ExternalIP"),
      info("osImage"), info("kernelVersion"), info("containerRuntimeVersion"),
    ]
  }

  /// Events.
  static let events = Table([
    Column("Last Seen"), Column("Type"), Column("Reason"), Column("Object"), Column("Subobject", isWide: true),
    Column("Source", isWide: true), Column("Message"), Column("First Seen", isWide: true),
    Column("Count", isWide: true), Column("Name", isWide: true),
  ]) { event in
    let json = event.json
    let about = json["involvedObject"] ?? [:]
    let object = [about["kind"]?.string?.lowercased() ?? "", about["name"]?.string ?? ""].joined(separator: "/")
    let source = [
      json[path: "source", "component"] ?? json["reportingComponent"],
      json[path: "source", "host"] ?? json["reportingInstance"],
    ].map { $0?.string ?? "" }
    let first = json["firstTimestamp"]?.string ?? json["eventTime"]?.string ?? ""
    let last = json["lastTimestamp"]?.string ?? first
    return [
      .string(HumanDuration.since(last)), json["type"] ?? "", json["reason"] ?? "", .string(object),
      about["fieldPath"] ?? "", .string(source.filter { !$0.isEmpty }.joined(separator: ", ")),
      .string((json["message"]?.string ?? "").split(separator: "\n").joined(separator: " ")),
      .string(HumanDuration.since(first)), .int(Int64(json["count"]?.int ?? 1)), .string(event.name),
    ]
  }

  /// How many members objects have.
  private static func count(_ objects: JSONValue?...) -> JSONValue {
    .int(Int64(objects.map { $0?.object?.count ?? 0 }.reduce(0, +)))
  }
}
