import CLinux
import DevrunCore
import Glibc

/// A child between its fork and the start of its program. To be used by one thread, which stays its parent.
struct ChildBirth {
  /// The child.
  let process: pid_t
  /// What its trapped calls are read from and answered to, if it has a filter.
  let listener: Descriptor?

  private let report: Descriptor
  private let isolation: Isolation?
  private let executable: RawString
  private let argumentBytes: Int
  private let steps: [MountStep]

  /// Forks the child and waits until it has its filter.
  ///
  /// - Parameter plan: what to run; `nil` to go the whole way and then exit.
  init(
    plan: LaunchPlan?, isolation: Isolation?, keeper: Keeper, features: KernelFeatures
  ) throws(LaunchError) {
    self.isolation = isolation
    executable = plan?.executable ?? ""
    argumentBytes = ((plan?.arguments ?? []) + (plan?.environment ?? [])).reduce(0) { $0 + $1.bytes.count + 1 }
    do throws(MountError) {
      steps =
        if isolation == .trap { [] } else if let plan { try MountPlanner.steps(for: plan) } else { Self.trialSteps }
    } catch {
      throw .mounts(error)
    }
    let wantsFilter = plan?.redirectsConnections ?? true || isolation == .trap
    do throws(Errno) {
      let (readEnd, writeEnd) = try Descriptor.pipe()
      let (ours, theirs) = try Descriptor.socketPair(type: SOCK_STREAM)
      report = readEnd
      let filter = wantsFilter ? Self.filter(trappingOpens: isolation == .trap) : []
      process = try Self.fork(
        plan, isolation, keeper, filter: filter, flags: features, steps: steps, report: writeEnd, socket: theirs)
      // Only the child holds its ends from here on, so that its end is the end of both.
      writeEnd.close()
      theirs.close()
      listener = wantsFilter ? try Self.receiveListener(ours) : nil
    } catch {
      throw .resources(error)
    }
  }

  /// Waits until the program runs.
  ///
  /// - Throws: why it does not. The child is reaped then.
  func awaitExecution() throws(LaunchError) {
    guard let failure = try readReport() else { return }
    abort()
    throw failure
  }

  /// Waits until a child without a program has ended.
  func awaitEnd() throws(LaunchError) {
    let failure = try readReport()
    abort()
    if let failure { throw failure }
  }

  /// Ends the child, if it has not ended, and reaps it.
  func abort() {
    _ = kill(process, SIGKILL)
    var event = devrun_child_event()
    repeat {
      if devrun_await_child(process, &event) < 0 { return }
    } while event.change == DEVRUN_CHILD_STOPPED || event.change == DEVRUN_CHILD_CONTINUED
    _ = devrun_reap(process)
  }

  private func readReport() throws(LaunchError) -> LaunchError? {
    let bytes = try obtaining { () throws(Errno) in try report.readToEnd() }
    guard bytes.count == MemoryLayout<devrun_launch_failure>.size else { return nil }
    let failure = bytes.withUnsafeBytes { $0.loadUnaligned(as: devrun_launch_failure.self) }
    let stage = LaunchStage(failure.stage)
    let error = Errno(rawValue: failure.error)
    switch stage {
    case .execution: return .execution(executable, error, argumentBytes: argumentBytes)
    case .mount where ![.accessDenied, .notPermitted, .noSpace].contains(error) && failure.step < steps.count:
      return .mounts(.notMounted(steps[failure.step].subject, error))
    default:
      if let isolation, stage.isIsolation { return .isolation(isolation, stage, error) }
      return .stage(stage, error)
    }
  }
}

extension ChildBirth {
  /// A mount that changes nothing: security modules that forbid mounts do so only when there is one.
  private static let trialSteps: [MountStep] = [
    .bind(source: "/dev/null", target: ViewPath(["dev", "null"]))
  ]

  private static func filter(trappingOpens: Bool) -> [sock_filter] {
    [sock_filter](unsafeUninitializedCapacity: Int(DEVRUN_FILTER_MAX)) { buffer, count in
      if let start = buffer.baseAddress { count = devrun_filter(start, trappingOpens) }
    }
  }

  /// `nil` when the child failed before it could send one: its report tells why.
  private static func receiveListener(_ socket: Descriptor) throws(Errno) -> Descriptor? {
    do throws(Errno) {
      return Descriptor(try shim { devrun_receive_descriptor(socket.number) })
    } catch .brokenPipe {
      return nil
    }
  }

  private static func fork(
    _ plan: LaunchPlan?, _ isolation: Isolation?, _ keeper: Keeper, filter: [sock_filter], flags: KernelFeatures,
    steps: [MountStep], report: Descriptor, socket: Descriptor
  ) throws(Errno) -> pid_t {
    let arguments = plan?.arguments ?? []
    let executable = CStringArray([plan?.executable ?? ""])
    let argumentArray = CStringArray(arguments)
    let shellArguments = CStringArray(["sh", plan?.executable ?? ""] + arguments.dropFirst())
    let environment = CStringArray(plan?.environment ?? [])
    let directory = CStringArray(keeper.inherited.workingDirectory.map { [$0] } ?? [])
    let stepStrings = CStringArray(steps.flatMap { [$0.parts.source, $0.parts.target] })
    let rawSteps = steps.enumerated().map { index, step in
      devrun_mount_step(
        kind: step.parts.kind, source: stepStrings.pointers[2 * index], target: stepStrings.pointers[2 * index + 1],
        mode: step.parts.mode)
    }
    let descriptors = (keeper.inherited.descriptors + [report.number]).sorted()

    var launch = devrun_launch()
    launch.path = plan == nil ? nil : UnsafePointer(executable.pointers[0])
    launch.process_group = plan == nil ? 0 : keeper.jobGroup
    launch.isolation = isolation.map(\.raw) ?? DEVRUN_ISOLATION_NONE
    launch.step_count = steps.count
    launch.working_directory = UnsafePointer(directory.pointers[0])
    launch.filter_count = filter.count
    launch.filter_flags = DEVRUN_FILTER_SPECULATION.rawValue
    if flags.contains(.waitKillable) { launch.filter_flags |= DEVRUN_FILTER_WAIT_KILLABLE.rawValue }
    // With the capability, here or in the new user namespace, a filter does not take it.
    launch.no_new_privileges = !filter.isEmpty && (isolation ?? .trap) == .trap && !devrun_has_sys_admin()
    launch.listener_socket = socket.number
    launch.report = report.number
    launch.descriptor_count = descriptors.count
    launch.ignored = keeper.inherited.ignoredSignals
    launch.mask = keeper.inherited.blockedSignals
    launch.descriptor_limit = keeper.inherited.descriptorLimit

    let child = filter.withUnsafeBufferPointer { filter in
      rawSteps.withUnsafeBufferPointer { steps in
        descriptors.withUnsafeBufferPointer { descriptors in
          launch.filter = filter.isEmpty ? nil : filter.baseAddress
          launch.steps = steps.baseAddress
          launch.descriptors = descriptors.baseAddress
          // The last use of each array must not be before this.
          return withExtendedLifetime((executable, argumentArray, shellArguments, environment, directory, stepStrings))
          {
            launch.arguments = UnsafePointer(argumentArray.pointers)
            launch.shell_arguments = UnsafePointer(shellArguments.pointers)
            launch.environment = UnsafePointer(environment.pointers)
            return devrun_fork_and_launch(&launch)
          }
        }
      }
    }
    return try shim { child }
  }
}

extension Isolation {
  /// The C form.
  fileprivate var raw: devrun_isolation {
    switch self {
    case .mount: DEVRUN_ISOLATION_MOUNT
    case .user: DEVRUN_ISOLATION_USER
    case .automatic, .trap: DEVRUN_ISOLATION_NONE
    }
  }
}
