internal import DevrunCore
package import DevrunKube

/// What marks the objects of a session.
package enum SessionMark {
  /// The name of the label on objects that a session makes, and of the annotation on the pods that it redirects. The
  /// value is the session's name.
  package static let key = "devrun.dev/session"

  /// Whether a text can be a session's name: at most 63 lower-case letters and digits, which fit in a label's value and in
  /// names of objects.
  package static func isName(_ text: String) -> Bool {
    DNSName.isLabel(text) && !text.contains("-")
  }

  /// Whether a pod of this name can be a session's own.
  package static func isPod(_ name: String, of session: String) -> Bool {
    name == "devrun-\(session)" || name.hasSuffix("-devrun-\(session)")
  }

  /// Whether a ConfigMap of this name can be one that a session made.
  package static func isConfigMap(_ name: String, of session: String) -> Bool {
    name.hasPrefix("devrun-\(session)-")
  }
}

extension KubeObject {
  /// The session that a pod, or a pod template, is redirected by.
  package var session: String? { annotations[SessionMark.key] }
}
