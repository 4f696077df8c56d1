package import DevrunCore

/// JSON merge patch (RFC 7396).
package enum MergePatch {
  /// Merges a patch into a value: `null` removes a member, an object is merged, and anything else replaces what was there.
  package static func apply(_ patch: JSONValue, to value: inout JSONValue) {
    guard case .object(let changes) = patch else {
      value = patch
      return
    }
    var members = value.object ?? [:]
    for (name, change) in changes {
      if change == .null {
        members[name] = nil
      } else {
        apply(change, to: &members[name, default: .null])
      }
    }
    value = .object(members)
  }
}
