package import DevrunKube

/// What marks the objects of a session.
package enum SessionMark {
  /// The name of the label on objects that a session makes, and of the annotation on the pods that it redirects. The
  /// value is the session's name.
  package static let key = "devrun.dev/session"
}

extension KubeObject {
  /// The session that a pod, or a pod template, is redirected by.
  package var session: String? { annotations[SessionMark.key] }
}
