internal import DevrunCore
internal import DevrunKube

extension Table {
  /// Deployments.
  static let deployments = Table([
    Column("Name"), Column("Ready"), Column("Up-to-date"), Column("Available"), Column("Age"),
    Column("Containers", isWide: true), Column("Images", isWide: true), Column("Selector", isWide: true),
  ]) { deployment in
    [
      .string(deployment.name), ready(deployment), number(deployment.status["updatedReplicas"]),
      number(deployment.status["availableReplicas"]), age(of: deployment),
    ] + containers(of: deployment) + [text(deployment.labelSelector)]
  }

  /// ReplicaSets.
  static let replicaSets = Table([
    Column("Name"), Column("Desired", type: "integer"), Column("Current", type: "integer"),
    Column("Ready", type: "integer"), Column("Age"), Column("Containers", isWide: true),
    Column("Images", isWide: true), Column("Selector", isWide: true),
  ]) { set in
    [
      .string(set.name), number(set.spec["replicas"]), number(set.status["replicas"]),
      number(set.status["readyReplicas"]), age(of: set),
    ] + containers(of: set) + [text(set.labelSelector)]
  }

  /// StatefulSets.
  static let statefulSets = Table([
    Column("Name"), Column("Ready"), Column("Age"), Column("Containers", isWide: true), Column("Images", isWide: true),
  ]) { set in
    [.string(set.name), ready(set), age(of: set)] + containers(of: set)
  }

  /// DaemonSets.
  static let daemonSets = Table([
    Column("Name"), Column("Desired", type: "integer"), Column("Current", type: "integer"),
    Column("Ready", type: "integer"), Column("Up-to-date", type: "integer"), Column("Available", type: "integer"),
    Column("Node Selector"), Column("Age"), Column("Containers", isWide: true), Column("Images", isWide: true),
    Column("Selector", isWide: true),
  ]) { set in
    let names = [
      "desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled", "numberAvailable",
    ]
    return [.string(set.name)] + names.map { number(set.status[$0]) }
      + [text(set.template.spec["nodeSelector"]?.stringMap), age(of: set)] + containers(of: set)
      + [text(set.labelSelector)]
  }

  /// PodDisruptionBudgets.
  static let podDisruptionBudgets = Table([
    Column("Name"), Column("Min Available"), Column("Max Unavailable"), Column("Allowed Disruptions", type: "integer"),
    Column("Age"),
  ]) { budget in
    [
      .string(budget.name), quantity(budget.spec["minAvailable"]), quantity(budget.spec["maxUnavailable"]),
      number(budget.status["disruptionsAllowed"]), age(of: budget),
    ]
  }

  /// `2/3`: the replicas that are ready, of those that are wanted.
  private static func ready(_ object: KubeObject) -> JSONValue {
    .string("\(object.status["readyReplicas"]?.int ?? 0)/\(object.spec["replicas"]?.int ?? 0)")
  }

  /// A number or a percentage; `N/A` if there is none.
  private static func quantity(_ value: JSONValue?) -> JSONValue {
    .string(value?.string ?? value?.int.map { String($0) } ?? "N/A")
  }
}
