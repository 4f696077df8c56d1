public import DevrunCore
public import DevrunPlan
public import DevrunSystem
internal import Glibc

/// The paths of this machine as places for volumes: which can be shown, before anything starts.
public struct VolumePlaces: MachinePlaces {
  private let environment: EnvironmentVariables
  private let workingDirectory: RawString?
  private let executable: RawString
  private let force: Bool

  /// The places for a command.
  ///
  /// - Parameters:
  ///   - environment: this process's.
  ///   - workingDirectory: where the command starts; `nil` if that has no path.
  ///   - executable: the path of the program.
  ///   - force: whether volumes that a file names may also hide what the command or the machine needs.
  public init(
    environment: EnvironmentVariables, workingDirectory: RawString?, executable: RawString, force: Bool = false
  ) {
    self.environment = environment
    self.workingDirectory = workingDirectory
    self.executable = executable
    self.force = force
  }

  private var protected: ProtectedPaths {
    ProtectedPaths(environment: environment, workingDirectory: workingDirectory, executable: executable)
  }

  private var planner: MountPlanner { MountPlanner(workingDirectory: workingDirectory, force: force) }

  /// Why a volume that nobody asked for does not appear at a path.
  ///
  /// Beside what a file may not ask for either, it does not take the place of anything, and no mount point is made for it
  /// among what is the user's: only in folders of the machine to which nobody but root may write.
  public func obstacle(at path: RawString) -> PlaceObstacle? {
    do throws(MountError) {
      let path = try MountPlanner.resolve(path)
      let isFree = try planner.isFree(path)
      if !isFree, !isShared(path) {
        return PlaceObstacle("this machine has something there", isOccupied: true)
      }
      if let reason = try protected.reason(againstUnasked: path) {
        return PlaceObstacle(reason.description, mayBeAskedFor: mayBeAskedFor(path))
      }
      if !isFree { return nil }
      var trial = MountPlanner(workingDirectory: workingDirectory)
      try trial.show("/", isDirectory: true, at: path)
      guard let place = trial.mountPoints.first, try !mayBeMadeUnasked(place.path) else { return nil }
      return PlaceObstacle(
        "'\(place.path)' would have to be made on this machine", mayBeAskedFor: mayBeAskedFor(path))
    } catch {
      let message = error.message
      return PlaceObstacle(message.what + (message.why.map { ": \($0)" } ?? ""))
    }
  }

  /// Whether what is at a path is an empty mount point of another session, or an empty directory among Kubernetes' own.
  private func isShared(_ path: RawString) -> Bool {
    if MountPoints.isUnused(path) { return true }
    guard Self.isOfKubernetes(path) else { return false }
    do throws(Errno) { return try Directory.entries(of: path).isEmpty } catch { return false }
  }

  private func mayBeMadeUnasked(_ path: RawString) throws(MountError) -> Bool {
    if Self.isOfKubernetes(path) { return true }
    if protected.isInPlaceOfUser(path) { return false }
    let folder = ViewPath(ViewPath.split(path)).parent.text
    var status = stat()
    try mappingErrno(to: { MountError.inaccessible(folder, $0) }) { () throws(Errno) in
      _ = try folder.withCString { (folder) throws(Errno) in try system { stat(folder, &status) } }
    }
    return status.st_uid == 0 && status.st_mode & (S_IWGRP | S_IWOTH) == 0
  }

  private func mayBeAskedFor(_ path: RawString) -> Bool {
    do throws(MountError) {
      try check(named: path)
      return true
    } catch {
      return false
    }
  }

  /// Checks that a volume can be shown at the path that a file gives it, whether it is a file or a directory.
  ///
  /// - Throws: `MountError`
  public func check(named path: RawString) throws(MountError) {
    try protected.check(path, force: force)
    var planner = planner
    // What is there gives way to its kind, which shows when the volume is here.
    if try planner.locate(path).missing.isEmpty { return }
    try planner.show("/", isDirectory: true, at: path)
  }

  /// Checks that all that a plan wants to be seen can be shown.
  ///
  /// - Throws: `MountError`, or `LaunchError.mountsNeedNamespace` if paths cannot be shown at all
  public func check(_ plan: LaunchPlan) throws {
    if plan.isolation == .trap {
      if !plan.mounts.isEmpty { throw LaunchError.mountsNeedNamespace }
      return
    }
    let planned = try MountPlanner.planned(for: plan, workingDirectory: workingDirectory)
    // Some file systems refuse what their permissions allow.
    try planned.makeMountPoints(recordedIn: plan.mountPointRecord)?.remove()
  }

  /// Whether nobody else keeps anything at a path: Kubernetes and Docker have their secrets there, in memory.
  private static func isOfKubernetes(_ path: RawString) -> Bool {
    let names = ViewPath.split(path)
    return names.starts(with: ["run", "secrets"]) || names.starts(with: ["var", "run", "secrets"])
  }
}
