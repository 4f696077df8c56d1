internal import DevrunCore
internal import DevrunKube

/// What somebody else's write did to a redirected Deployment, and what is to be done about it. No I/O.
enum RedirectReview: Hashable {
  /// Nothing of devrun's is missing. What else changed is the team's business.
  case untouched
  /// Some of devrun's own fields were set to something else: they are set again, by this record and this template. The
  /// template is `nil` where it is as it should be.
  case setAgain(OriginalRecord, template: KubeObject?)
  /// The redirection itself was taken away.
  case removed

  /// Reviews a Deployment.
  ///
  /// - Parameters:
  ///   - live: the Deployment as it is now.
  ///   - record: the session's record as it was seen last.
  ///   - agent: what devrun puts into the template.
  static func of(_ live: KubeObject, record: OriginalRecord, agent: AgentTemplate) -> RedirectReview {
    guard live.template.session == record.session else { return .removed }
    let (present, applied) = (live.template, record.applied ?? record.template)
    var renewed = record
    var template: KubeObject?
    if !present.isSameTemplate(as: applied) {
      let team = ThreeWayMerge.undo(original: record.template.json, changed: applied.json, current: present.json)
      let theirs = team.map { KubeObject($0) } ?? record.template
      let wanted: KubeObject
      do throws(WorkloadError) {
        wanted = try agent.applied(to: theirs)
      } catch {
        return .removed  // The container is gone, or the pods are to run on other machines.
      }
      if !wanted.isTemplateInAnyOrder(of: present) {
        (renewed.template, renewed.applied, template) = (theirs, wanted, wanted)
      }
    }
    let limit = live.spec["revisionHistoryLimit"]
    let isRaised = limit == .int(DeploymentRedirect.raisedHistoryLimit)
    let hasRecord = DeploymentRestore.holdsRecord(of: record.session, live)
    if template == nil, isRaised, hasRecord { return .untouched }
    if !isRaised { renewed.revisionHistoryLimit = limit }
    renewed.managedFields = ManagedFields.withoutDevrun(recorded: record.managedFields, current: live.managedFields)
    return .setAgain(renewed, template: template)
  }

  /// The patch that sets devrun's fields again.
  static func patch(
    of live: KubeObject, _ record: OriginalRecord, template: KubeObject?
  ) throws(WorkloadError) -> [JSONPatchOperation] {
    let value = JSONValue.string(try record.annotationValue())
    var operations: [JSONPatchOperation] = [
      .ifUnchanged(since: live),
      live.metadata["annotations"] == nil
        ? .add(["metadata", "annotations"], [OriginalRecord.annotation: value])
        : .add(["metadata", "annotations", OriginalRecord.annotation], value),
      .add(["spec", "revisionHistoryLimit"], .int(DeploymentRedirect.raisedHistoryLimit)),
    ]
    if let template { operations.append(.replace(["spec", "template"], template.json)) }
    return operations
  }

  /// Who wrote devrun's fields last but devrun, by `managedFields` (`fieldsV1` in the API's words).
  static func lastManager(of deployment: KubeObject) -> String? {
    owners(of: deployment).max { ($0["time"]?.string ?? "") < ($1["time"]?.string ?? "") }?["manager"]?.string
  }

  /// Who has written devrun's fields but devrun, and when: each writer with its last time.
  static func writers(of deployment: KubeObject) -> Set<String> {
    Set(
      owners(of: deployment).map { entry in
        ["manager", "operation", "time"].map { entry[$0]?.string ?? "" }.joined(separator: " ")
      })
  }

  /// Who took the redirection away: devrun's own command if a restore is under way, or if the record is gone and nobody
  /// but devrun has written the template since; else who wrote it last.
  static func remover(
    of live: KubeObject, session: String, writersBefore: Set<String>?, isBeingRestored: Bool
  ) -> String? {
    let isUnwritten = writersBefore == writers(of: live)
    let isRestored = isUnwritten && !DeploymentRestore.holdsRecord(of: session, live)
    return isBeingRestored || isRestored ? "devrun restore" : lastManager(of: live)
  }

  /// The entries of `managedFields` that own some of devrun's fields, without devrun's own.
  private static func owners(of deployment: KubeObject) -> [JSONValue] {
    (deployment.managedFields?.array ?? []).filter { entry in
      guard entry["manager"]?.string != KubeClient.fieldManager else { return false }
      return entry[path: "fieldsV1", "f:spec", "f:template"] != nil
        || entry[path: "fieldsV1", "f:spec", "f:revisionHistoryLimit"] != nil
    }
  }
}

/// How often each manager has reset devrun's fields of late. Whoever does so again and again follows a repository, and is
/// not fought.
struct ResetCount {
  /// So many resets ...
  static let limit = 3
  /// ... within this time mean a controller.
  static let period: Duration = .seconds(60)

  private var resets: [String?: [ContinuousClock.Instant]] = [:]

  /// Whether one more reset by a manager means that it is a controller.
  func isController(_ manager: String?, at now: ContinuousClock.Instant) -> Bool {
    recent(manager, now).count + 1 >= Self.limit
  }

  /// Counts a reset.
  mutating func count(_ manager: String?, at now: ContinuousClock.Instant) {
    resets[manager] = recent(manager, now) + [now]
  }

  private func recent(_ manager: String?, _ now: ContinuousClock.Instant) -> [ContinuousClock.Instant] {
    resets[manager, default: []].filter { now - $0 < Self.period }
  }
}
