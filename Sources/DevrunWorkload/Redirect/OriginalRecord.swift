internal import DevrunCore
internal import DevrunKube

/// What a Deployment was before devrun changed it, as it stands in an annotation on the Deployment itself, written in
/// the same patch as the change: so anyone can put it back at any later time, from any machine.
struct OriginalRecord: Sendable, Hashable {
  /// The annotation's name.
  static let annotation = "devrun.dev/original"
  /// The most that all annotations of an object may hold together, in bytes (apimachinery's
  /// `TotalAnnotationSizeLimitB`).
  static let annotationLimit = 256 << 10
  /// The form of the record that this devrun writes. It reads the earlier ones too.
  static let version = 2

  /// The session that changed the Deployment.
  var session: String
  /// Who holds the session, as `user@machine`: for people.
  var holder: String
  /// When it was changed (RFC 3339): for people.
  var since: String
  /// The container that the agent replaced.
  var container: String
  /// `spec.template` as it is without devrun: what the team wrote, also in mid-session.
  var template: KubeObject
  /// `spec.template` as devrun's own write left it: what it is compared with when devrun's change is taken back. `nil` in
  /// a record of version 1, which did not have it.
  var applied: KubeObject?
  /// `spec.revisionHistoryLimit` without devrun.
  var revisionHistoryLimit: JSONValue?
  /// Whether the Deployment had annotations at all.
  var hadAnnotations: Bool
  /// `metadata.managedFields` without devrun.
  var managedFields: JSONValue?
  /// The ReplicaSet that ran the original template.
  var replicaSet: ReplicaSetRecord?
  /// The names of the ConfigMaps that the session made.
  var configMaps: [String]

  /// What the Deployment's controller rewrites on a ReplicaSet when it becomes the current one again.
  struct ReplicaSetRecord: Sendable, Hashable {
    /// Its name.
    var name: String
    /// `metadata.annotations`
    var annotations: JSONValue?
    /// `metadata.managedFields`
    var managedFields: JSONValue?
  }

  /// The annotation's value: JSON.
  ///
  /// - Throws: `WorkloadError.recordTooLarge` if it would not fit.
  func annotationValue() throws(WorkloadError) -> String {
    let text = json.text
    guard text.count < Self.annotationLimit - (16 << 10) else { throw .recordTooLarge(bytes: text.count) }
    return String(decoding: text, as: UTF8.self)
  }

  /// The record on an object, `nil` if there is none.
  ///
  /// Whoever may annotate the object can write one. So the reader checks the session's name, which becomes part of names
  /// and of selectors.
  ///
  /// - Throws: `WorkloadError.recordUnreadable`
  static func read(from object: KubeObject) throws(WorkloadError) -> OriginalRecord? {
    guard let text = object.annotations[annotation] else { return nil }
    do {
      return try OriginalRecord(json: JSONValue(text: text.utf8))
    } catch let error as JSONSyntaxError {
      throw .recordUnreadable(object.name, cause: error.message.what)
    } catch let error as Malformed {
      throw .recordUnreadable(object.name, cause: error.what)
    } catch {
      throw .recordUnreadable(object.name, cause: "\(error)")
    }
  }
}

// MARK: - The form of the record

extension OriginalRecord {
  /// What is wrong with a record.
  private struct Malformed: Error {
    var what: String
  }

  /// The record as JSON. What is not there is left out.
  var json: JSONValue {
    var json: JSONValue = [
      "version": .int(applied == nil ? 1 : Int64(Self.version)), "session": .string(session), "holder": .string(holder),
      "since": .string(since), "container": .string(container), "template": template.json,
      "hadAnnotations": .bool(hadAnnotations), "configMaps": .array(configMaps.map(JSONValue.string)),
    ]
    json["applied"] = applied?.json
    json["revisionHistoryLimit"] = revisionHistoryLimit
    json["managedFields"] = managedFields
    if let replicaSet {
      var record: JSONValue = ["name": .string(replicaSet.name)]
      record["annotations"] = replicaSet.annotations
      record["managedFields"] = replicaSet.managedFields
      json["replicaSet"] = record
    }
    return json
  }

  private init(json: JSONValue) throws(Malformed) {
    func required<Value>(_ name: String, _ read: (JSONValue) -> Value?) throws(Malformed) -> Value {
      guard let value = json[name].flatMap(read) else { throw Malformed(what: "its \(name) is missing or malformed") }
      return value
    }
    let version = try required("version", \.int)
    guard (1...Self.version).contains(version) else { throw Malformed(what: "its version is \(version)") }
    session = try required("session", \.string)
    guard SessionMark.isName(session) else { throw Malformed(what: "its session is no name of a session") }
    holder = try required("holder", \.string)
    since = try required("since", \.string)
    container = try required("container", \.string)
    template = KubeObject(.object(try required("template", \.object)))
    applied = version == 1 ? nil : KubeObject(.object(try required("applied", \.object)))
    revisionHistoryLimit = json["revisionHistoryLimit"]
    hadAnnotations = try required("hadAnnotations", \.bool)
    managedFields = json["managedFields"]
    configMaps = try required("configMaps") { list in
      list.array.flatMap { names in
        let texts = names.compactMap(\.string)
        return texts.count == names.count ? texts : nil
      }
    }
    if let record = json["replicaSet"] {
      guard let name = record["name"]?.string else { throw Malformed(what: "its replicaSet has no name") }
      replicaSet = ReplicaSetRecord(
        name: name, annotations: record["annotations"], managedFields: record["managedFields"])
    }
  }
}
