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
  public func obstacle(at path: RawString) -> String? {
    var planner = MountPlanner(workingDirectory: workingDirectory)
    do throws(MountError) {
      if try !planner.isFree(path) { return "this machine has something there" }
      if let reason = try protected.reason(againstUnasked: path) { return reason.description }
      try planner.show("/", isDirectory: true, at: path)
    } catch {
      let message = error.message
      return message.what + (message.why.map { ": \($0)" } ?? "")
    }
    guard let place = planner.mountPoints.first, !Self.isOfKubernetes(place.path) else { return nil }
    return "'\(place.path)' would have to be made on this machine"
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
    ViewPath.split(path).starts(with: ["run", "secrets"])
  }
}
