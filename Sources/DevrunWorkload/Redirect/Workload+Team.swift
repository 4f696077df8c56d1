internal import DevrunCore
internal import DevrunKube

extension Workload {
  /// The workload as its team has it: without the agent, where a session has put one into the template.
  ///
  /// - Throws: `WorkloadError.recordUnreadable`
  package func withoutAgent() throws(WorkloadError) -> Workload {
    guard object.template.session != nil, let record = try OriginalRecord.read(from: object) else { return self }
    var team = self
    let current = object.template.json
    // A record of an earlier devrun lacks what was written: then the original is the nearest.
    let template = record.applied.map {
      ThreeWayMerge.undo(original: record.template.json, changed: $0.json, current: current) ?? record.template.json
    }
    team.object.template = KubeObject(template ?? record.template.json)
    return team
  }
}
