public import DevrunCore

/// What a watch tells.
public enum WatchEvent: Sendable, Hashable {
  /// All objects as they are now: first of all, and again whenever events may have been missed.
  case snapshot([JSONValue])
  /// An object came into being, or began to fit the selectors.
  case added(JSONValue)
  /// An object changed.
  case modified(JSONValue)
  /// An object is gone, or fits the selectors no longer; this is its last state.
  case deleted(JSONValue)
}

/// One line of a watch's response.
enum WatchLine: Sendable, Hashable {
  /// Something happened to an object.
  case event(WatchEvent, resourceVersion: String)
  /// Nothing happened, up to this version.
  case bookmark(resourceVersion: String)
  /// The watch failed.
  case error(APIStatus)

  /// Reads a line: an object with `type` and `object` (`meta/v1` `WatchEvent`). `nil` where it is something else.
  init?(_ line: JSONValue) {
    guard let object = line["object"], let type = line["type"]?.string else { return nil }
    let version = object[path: "metadata", "resourceVersion"]?.string
    switch (type, version) {
    case ("ADDED", let version?): self = .event(.added(object), resourceVersion: version)
    case ("MODIFIED", let version?): self = .event(.modified(object), resourceVersion: version)
    case ("DELETED", let version?): self = .event(.deleted(object), resourceVersion: version)
    case ("BOOKMARK", let version?): self = .bookmark(resourceVersion: version)
    case ("ERROR", _):
      guard let status = APIStatus(object, httpCode: 500) else { return nil }
      self = .error(status)
    default: return nil
    }
  }
}
