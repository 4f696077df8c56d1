public import DevrunCore
public import DevrunPlan
public import DevrunSystem

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
  /// Beside what a file may not ask for either, it neither takes the place of anything nor is a mount point made for it,
  /// except among Kubernetes' own: what users write beside it must be where they wrote it.
  public func obstacle(at path: RawString) -> PlaceObstacle? {
    do throws(MountError) {
      let path = try MountPlanner.resolve(path)
      if try !isFree(path) { return PlaceObstacle("this machine has something there", isOccupied: true) }
      if let reason = try protected.reason(againstUnasked: path) {
        return PlaceObstacle(reason.description, mayBeAskedFor: mayBeAskedFor(path))
      }
      var planner = MountPlanner(workingDirectory: workingDirectory)
      try planner.show("/", isDirectory: true, at: path)
      guard let place = planner.mountPoints.first, !Self.isOfKubernetes(place.path) else { return nil }
      return PlaceObstacle(
        "'\(place.path)' would have to be made on this machine", mayBeAskedFor: mayBeAskedFor(path))
    } catch {
      let message = error.message
      return PlaceObstacle(message.what + (message.why.map { ": \($0)" } ?? ""))
    }
  }

  /// Whether nothing is at a path, and nothing but a directory above it. Among Kubernetes' own an empty directory is
  /// nothing: another session, or the machine's administrator, has made it for the same purpose.
  private func isFree(_ path: RawString) throws(MountError) -> Bool {
    if try planner.isFree(path) { return true }
    guard Self.isOfKubernetes(path) else { return false }
    do throws(Errno) { return try Directory.entries(of: path).isEmpty } catch { return false }
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
    _ = try MountPlanner.planned(for: plan, workingDirectory: workingDirectory)
  }

  /// Whether nobody else keeps anything at a path: Kubernetes and Docker have their secrets there, in memory.
  private static func isOfKubernetes(_ path: RawString) -> Bool {
    let names = ViewPath.split(path)
    return names.starts(with: ["run", "secrets"]) || names.starts(with: ["var", "run", "secrets"])
  }
}
