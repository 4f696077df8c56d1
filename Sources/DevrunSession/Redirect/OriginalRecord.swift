internal import DevrunCore
internal import Foundation

/// What a Deployment was before devrun changed it, as it stands in an annotation on the Deployment itself, written in
/// the same patch as the change: so anyone can put it back at any later time, from any machine.
struct OriginalRecord: Codable, Sendable, Hashable {
  /// The annotation's name.
  static let annotation = "devrun.dev/original"
  /// The most that all annotations of an object may hold together, in bytes (apimachinery's
  /// `TotalAnnotationSizeLimitB`).
  static let annotationLimit = 256 << 10

  /// The form of this record.
  var version = 1
  /// The session that changed the Deployment.
  var session: String
  /// Who holds the session, as `user@machine`: for people.
  var holder: String
  /// When it was changed (RFC 3339): for people.
  var since: String
  /// The container that the agent replaced.
  var container: String
  /// `spec.template`
  var template: JSONValue
  /// `spec.revisionHistoryLimit`
  var revisionHistoryLimit: JSONValue?
  /// Whether the Deployment had annotations at all.
  var hadAnnotations: Bool
  /// `metadata.managedFields`
  var managedFields: JSONValue?
  /// The ReplicaSet that ran the original template.
  var replicaSet: ReplicaSetRecord?
  /// The names of the ConfigMaps that the session made.
  var configMaps: [String]

  /// What the Deployment's controller rewrites on a ReplicaSet when it becomes the current one again.
  struct ReplicaSetRecord: Codable, Sendable, Hashable {
    /// Its name.
    var name: String
    /// `metadata.annotations`
    var annotations: JSONValue?
    /// `metadata.managedFields`
    var managedFields: JSONValue?
  }

  /// The annotation's value: JSON.
  ///
  /// - Throws: an encoding error of Foundation's; `SessionError.recordTooLarge` where it would not fit.
  func annotationValue() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let data = try encoder.encode(self)
    guard data.count < Self.annotationLimit - (16 << 10) else {
      throw SessionError.recordTooLarge(bytes: data.count)
    }
    return String(decoding: data, as: UTF8.self)
  }

  /// The record on an object, `nil` where there is none.
  ///
  /// - Throws: `SessionError.recordUnreadable`
  static func read(from object: JSONValue) throws -> OriginalRecord? {
    guard let text = object[path: "metadata", "annotations", annotation]?.string else { return nil }
    do {
      let record = try JSONDecoder().decode(OriginalRecord.self, from: Data(text.utf8))
      guard record.version == 1 else {
        throw SessionError.recordUnreadable(
          object[path: "metadata", "name"]?.string ?? "", cause: "its version is \(record.version)")
      }
      return record
    } catch let error as DecodingError {
      throw SessionError.recordUnreadable(object[path: "metadata", "name"]?.string ?? "", cause: "\(error)")
    }
  }
}
