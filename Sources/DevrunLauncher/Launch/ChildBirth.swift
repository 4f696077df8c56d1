import CLinux
import DevrunCore
import DevrunPlan
import DevrunSystem
import Glibc

/// A child between its fork and the start of its program. To be used by one thread, which stays its parent.
struct ChildBirth {
  /// The child.
  let process: pid_t
  /// What lets it go on to its program: something to be read, or the end. `nil`: nothing holds it up.
  let gate: Descriptor?
  /// What was made on the machine for volumes to be shown at.
  let mountPoints: MountPoints?

  private let report: Descriptor
  private let listenerSocket: Descriptor?
  private let isolation: Isolation?
  private let executable: RawString
  private let arguments: ArgumentBlock
  private let steps: [MountStep]

  /// Forks the child.
  ///
  /// - Parameters:
  ///   - plan: what to run; `nil` to go the whole way and then exit.
  ///   - helper: the program that may make mount namespaces in this one's place.
  init(
    plan: LaunchPlan?, isolation: Isolation?, keeper: Keeper, features: KernelFeatures, helper: RawString?
  ) throws(LaunchError) {
    self.isolation = isolation
    executable = plan?.executable ?? ""
    arguments = ArgumentBlock(arguments: plan?.arguments ?? [], environment: plan?.environment ?? [:])
    (steps, mountPoints) = try Self.mounts(for: plan, isolation, keeper.inherited.workingDirectory)
    let wantsFilter = plan.map { $0.redirectsConnections || $0.watchesBinds } ?? true || isolation == .trap
    do throws(Errno) {
      let (readEnd, writeEnd) = try Descriptor.pipe()
      let (ours, theirs) = try Descriptor.socketPair(type: SOCK_STREAM)
      let gate = plan == nil ? nil : try Descriptor.pipe()
      let launch = RawLaunch(
        plan, isolation: isolation, steps: steps, keeper: keeper, features: features, report: writeEnd.number,
        gate: gate.map { ($0.0.number, $0.1.number) },
        listenerSocket: wantsFilter ? theirs.number : nil, helper: helper)
      process = try shim { withUnsafePointer(to: launch.raw) { devrun_fork_and_launch($0) } }
      report = readEnd
      self.gate = gate?.1
      listenerSocket = wantsFilter ? ours : nil
      // Only the child holds its ends from here on, so that its end is the end of both.
      writeEnd.close()
      theirs.close()
      gate?.0.close()
    } catch {
      mountPoints?.remove()
      throw .resources(error)
    }
  }

  /// Waits until the child has its filter, and returns what its trapped calls are read from and answered to. `nil`: it
  /// has none, or has failed before.
  func awaitListener() throws(LaunchError) -> Descriptor? {
    guard let listenerSocket else { return nil }
    do throws(Errno) {
      return Descriptor(try shim { devrun_receive_descriptor(listenerSocket.number) })
    } catch .brokenPipe {
      return nil
    } catch {
      throw .resources(error)
    }
  }

  /// Waits until the program runs, or a child without one has gone its way.
  ///
  /// - Throws: what went wrong in the child.
  func awaitExecution() throws(LaunchError) {
    let bytes = try mappingErrno(to: LaunchError.resources) { () throws(Errno) in try report.readToEnd() }
    // Exec has closed the pipe: all is well.
    guard bytes.count == MemoryLayout<devrun_launch_failure>.size else { return }
    let failure = bytes.withUnsafeBytes { $0.loadUnaligned(as: devrun_launch_failure.self) }
    let stage = LaunchStage(failure.stage)
    let error = Errno(rawValue: failure.error)
    switch stage {
    case .execution:
      throw .execution(executable, error, arguments)
    case .mount where ![.accessDenied, .notPermitted, .noSpace].contains(error) && failure.step < steps.count:
      throw .mounts(.notMounted(steps[failure.step].subject, error))
    default:
      if let isolation, stage.isIsolation { throw .isolation(isolation, stage, error) }
      throw .stage(stage, error)
    }
  }

  /// Ends the child, if it has not ended, and reaps it. To be called once, by whoever does not want it any more.
  func abort() {
    defer { mountPoints?.remove() }
    _ = kill(process, SIGKILL)
    var event = devrun_child_event()
    repeat {
      if devrun_await_child(process, &event) < 0 { return }
    } while event.change == DEVRUN_CHILD_STOPPED || event.change == DEVRUN_CHILD_CONTINUED
    _ = devrun_reap(process)
  }

  private static func mounts(
    for plan: LaunchPlan?, _ isolation: Isolation?, _ workingDirectory: RawString?
  ) throws(LaunchError) -> ([MountStep], MountPoints?) {
    if isolation == .trap || isolation == nil { return ([], nil) }
    // Security modules that forbid mounts forbid one that changes nothing as well.
    guard let plan else { return ([.bind(source: "/dev/null", target: ViewPath(["dev", "null"]))], nil) }
    do throws(MountError) {
      for _ in 0..<3 {
        let planned = try MountPlanner.planned(for: plan, workingDirectory: workingDirectory)
        let mountPoints = try planned.makeMountPoints(recordedIn: plan.mountPointRecord)
        if planned.isUpToDate { return (planned.steps, mountPoints) }
        // Another session has ended since, and its mount points are gone.
        mountPoints?.remove()
      }
    } catch {
      throw .mounts(error)
    }
    throw .resources(.busy)
  }
}
