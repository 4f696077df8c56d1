internal import DevrunCore
internal import DevrunKube

/// Writes by which devrun comes to own no field: the owners are put back right after each
/// (https://kubernetes.io/docs/reference/using-api/server-side-apply/#managers). So a server-side apply by the team meets
/// no conflict, neither during a session nor after it.
extension Namespace {
  /// Patches an object.
  ///
  /// - Parameter owners: `metadata.managedFields` as it is to be, together with what others come to own meanwhile.
  /// - Returns: the object as the patch left it, before the owners were put back.
  /// - Throws: `KubeError`; `WorkloadError.contended` if the owners cannot be put back.
  func patch(
    _ path: ResourcePath, _ operations: [JSONPatchOperation], restoringOwners owners: JSONValue?
  ) async throws -> KubeObject {
    let changed = try await client.patch(path, operations)
    try await putOwnersBack(path, owners, on: changed)
    return changed
  }

  /// Puts the owners of an object's fields back. An object that is gone has none.
  ///
  /// - Parameter adjust: a last change to the owners that are put back.
  /// - Throws: `KubeError`, `WorkloadError.contended`
  func putOwnersBack(
    _ path: ResourcePath, _ owners: JSONValue?, on object: KubeObject? = nil,
    adjust: (JSONValue) -> JSONValue = { $0 }
  ) async throws {
    var known = object
    for _ in 0..<DeploymentRedirect.attempts {
      var current = known
      if current == nil { current = try await find(path) }
      guard let current else { return }
      let restored = adjust(ManagedFields.restored(recorded: owners, current: current.managedFields))
      guard restored != current.managedFields else { return }
      do {
        try await client.patch(
          path, [.ifUnchanged(since: current), .add(["metadata", "managedFields"], restored)])
        return
      } catch let error as KubeError where error.isConflict || error.isNotFound {
        known = nil  // The controller wrote meanwhile, or somebody deleted it: look again.
      }
    }
    throw WorkloadError.contended(path.name ?? path.resource)
  }
}
