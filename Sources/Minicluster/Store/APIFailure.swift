package import DevrunKube

/// A request that the API refuses, with the status that it is answered by.
package struct APIFailure: Error, Sendable, Hashable {
  /// What the client gets (`meta/v1` Status).
  package var status: APIStatus

  /// A failure of a status.
  package init(_ status: APIStatus) { self.status = status }
}
