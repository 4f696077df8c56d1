internal import DevrunCore

/// What a watch tells.
public enum WatchEvent: Sendable, Hashable {
  /// All objects as they are now: first of all, and again whenever events may have been missed.
  case snapshot([KubeObject])
  /// An object came into being, or began to fit the selectors.
  case added(KubeObject)
  /// An object changed.
  case modified(KubeObject)
  /// An object is gone, or fits the selectors no longer; this is its last state.
  case deleted(KubeObject)
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
    let version = KubeObject(object).resourceVersion
    switch (type, version) {
    case ("ADDED", let version?): self = .event(.added(KubeObject(object)), resourceVersion: version)
    case ("MODIFIED", let version?): self = .event(.modified(KubeObject(object)), resourceVersion: version)
    case ("DELETED", let version?): self = .event(.deleted(KubeObject(object)), resourceVersion: version)
    case ("BOOKMARK", let version?): self = .bookmark(resourceVersion: version)
    case ("ERROR", _):
      guard let status = APIStatus(object, httpCode: 500) else { return nil }
      self = .error(status)
    default: return nil
    }
  }
}
