import CLinux
import DevrunCore
import DevrunPlan
import DevrunSystem
import Glibc

/// A launch in the form that the way from fork to exec takes: all memory in place, so that nothing is allocated there.
final class RawLaunch {
  /// The C form. Valid as long as this object.
  private(set) var raw = devrun_launch()

  private let executable: CStringArray
  private let arguments: CStringArray
  private let environment: CStringArray
  private let shellArguments: CStringArray
  /// One string, or none.
  private let workingDirectory: CStringArray
  /// One string, or none.
  private let helper: CStringArray
  /// The source and the target of each step.
  private let places: CStringArray
  private let filter: PinnedArray<sock_filter>
  private let steps: PinnedArray<devrun_mount_step>
  private let descriptors: PinnedArray<Int32>

  /// A launch of the plan; without one, of nothing, in the keeper's own process group.
  ///
  /// - Parameters:
  ///   - report: where a failure is told.
  ///   - gate: the two ends of the pipe that holds the child up before exec; `nil`: nothing does.
  ///   - listenerSocket: where the filter's listener is sent, if there is a filter.
  ///   - helper: the program that may make mount namespaces in this one's place.
  init(
    _ plan: LaunchPlan?, isolation: Isolation?, steps: [MountStep], keeper: Keeper, features: KernelFeatures,
    report: Int32, gate: (read: Int32, write: Int32)?, listenerSocket: Int32?, helper: RawString?
  ) {
    let program = plan?.executable ?? ""
    let inherited = keeper.inherited
    executable = CStringArray([program])
    arguments = CStringArray(plan?.arguments ?? [])
    environment = CStringArray(plan?.environment.entries ?? [])
    shellArguments = CStringArray(["sh", program] + (plan?.arguments ?? []).dropFirst())
    workingDirectory = CStringArray(inherited.workingDirectory.map { [$0] } ?? [])
    self.helper = CStringArray(helper.map { [$0] } ?? [])
    let places = CStringArray(steps.flatMap { [$0.parts.source, $0.parts.target] })
    self.places = places
    filter = PinnedArray(listenerSocket == nil ? [] : Self.filter(plan, isolation))
    self.steps = PinnedArray(
      steps.enumerated().map { index, step in
        devrun_mount_step(
          kind: step.parts.kind, source: places.pointers[2 * index], target: places.pointers[2 * index + 1],
          mode: step.parts.mode)
      })
    descriptors = PinnedArray((inherited.descriptors + [report]).sorted())

    if plan != nil {
      raw.path = UnsafePointer(executable.pointers[0])
      raw.process_group = keeper.jobGroup
    }
    raw.front = keeper.front
    raw.arguments = UnsafePointer(arguments.pointers)
    raw.environment = UnsafePointer(environment.pointers)
    raw.shell_arguments = UnsafePointer(shellArguments.pointers)
    raw.working_directory = UnsafePointer(workingDirectory.pointers[0])
    raw.helper = UnsafePointer(self.helper.pointers[0])
    raw.isolation = isolation?.raw ?? DEVRUN_ISOLATION_NONE
    raw.steps = UnsafePointer(self.steps.start)
    raw.step_count = self.steps.count
    raw.listener_socket = listenerSocket ?? -1
    raw.filter = listenerSocket == nil ? nil : UnsafePointer(filter.start)
    raw.filter_count = filter.count
    raw.filter_flags = DEVRUN_FILTER_SPECULATION.rawValue
    // With the capability, here or in the new user namespace, a filter does not take it.
    raw.no_new_privileges = listenerSocket != nil && (isolation ?? .trap) == .trap && !devrun_has_sys_admin()
    raw.report = report
    raw.gate = gate?.read ?? -1
    raw.gate_writer = gate?.write ?? -1
    raw.descriptors = UnsafePointer(descriptors.start)
    raw.descriptor_count = descriptors.count
    raw.ignored = inherited.ignoredSignals.raw
    raw.mask = inherited.blockedSignals.raw
    raw.descriptor_limit = inherited.descriptorLimit
  }

  private static func filter(_ plan: LaunchPlan?, _ isolation: Isolation?) -> [sock_filter] {
    var traps: UInt32 = 0
    if isolation == .trap { traps |= DEVRUN_TRAP_OPEN.rawValue }
    if let plan, !plan.listenPorts.isEmpty { traps |= DEVRUN_TRAP_LISTEN.rawValue }
    if let plan, plan.watchesBinds { traps |= DEVRUN_TRAP_BIND.rawValue }
    return [sock_filter](unsafeUninitializedCapacity: Int(DEVRUN_FILTER_MAX)) { buffer, count in
      if let start = buffer.baseAddress { count = devrun_filter(start, traps) }
    }
  }
}

/// Values that stay in one place of memory.
private final class PinnedArray<Element> {
  let start: UnsafeMutablePointer<Element>
  let count: Int

  init(_ elements: [Element]) {
    count = elements.count
    start = .allocate(capacity: max(count, 1))
    for (index, element) in elements.enumerated() { (start + index).initialize(to: element) }
  }

  deinit {
    start.deinitialize(count: count)
    start.deallocate()
  }
}

extension Isolation {
  /// The C form.
  fileprivate var raw: devrun_isolation {
    switch self {
    case .mount: DEVRUN_ISOLATION_MOUNT
    case .user: DEVRUN_ISOLATION_USER
    case .trap: DEVRUN_ISOLATION_NONE
    }
  }
}
