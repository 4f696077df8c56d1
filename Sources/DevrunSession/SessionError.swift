public import DevrunCore
internal import DevrunSystem

/// What a session can fail of, beside what the modules below it tell themselves.
public enum SessionError: UserFacingError, Hashable {
  /// No target was named; the candidates are.
  case noTarget(namespace: String, candidates: [String])
  /// The target does not exist.
  case targetNotFound(String, namespace: String, candidates: [String])
  /// The target is of a kind that cannot be redirected.
  case unsupportedTarget(String, why: String)
  /// The user lacks rights without which the session could not be held or not be undone.
  case missingRights([String], namespace: String)
  /// A service does not lead to exactly one Deployment.
  case ambiguousService(String, owners: [String])
  /// The Deployment has no pod to redirect.
  case scaledToZero(String, namespace: String)
  /// A paused Deployment does not roll out the agent.
  case paused(String, namespace: String)
  /// The named container is not in the pod.
  case noSuchContainer(String, available: [String])
  /// Several containers could be meant.
  case ambiguousContainer(available: [String])
  /// The pods must run on another architecture than the agent was built for.
  case otherArchitecture(wanted: String, payload: String)
  /// The workload is redirected already.
  case alreadyRedirected(String, by: String, since: String, namespace: String)
  /// The record of the original does not fit in an annotation.
  case recordTooLarge(bytes: Int)
  /// The record of the original cannot be read.
  case recordUnreadable(String, cause: String)
  /// The workload changed again and again while devrun tried to change it.
  case contended(String)
  /// The agent's pods do not come up.
  case agentFailed(pod: String, why: String)
  /// The rollout makes no headway.
  case rolloutStuck(String, why: String)
  /// The new pod needs an image, and none runs in the namespace.
  case noCarrierImage(namespace: String)
  /// The parts of the agent are not beside the binary.
  case payloadMissing(String, cause: String)
  /// The session's folder cannot be made.
  case noSessionDirectory(String, errno: Int32)
  /// The session's log cannot be written.
  case noSessionLog(String, errno: Int32)
  /// The file asks for a volume that the pod does not have, or that its container does not mount.
  case volumeNotMounted(String, container: String)
  /// A volume holds more than devrun copies; `bytes` where it was measured before.
  case volumeTooLarge(String, bytes: Int?, limit: Int)
  /// A part of a volume that a file names is not there.
  case emptyPart(String)
  /// A file or folder of the session cannot be made, replaced or removed.
  case cannotChange(String, errno: Int32)
  /// A signal ended the session before the command ran.
  case cancelled(signal: Int32)
  /// Some of what was changed could not be put back.
  case notRestored([String], remedy: String)

  /// What the person is told.
  public var message: ErrorMessage {
    switch self {
    case .noTarget(let namespace, let candidates):
      ErrorMessage(
        "no target: say what to redirect with --target KIND/NAME, or ask for a pod of its own with --new-pod",
        why: Self.listing("in namespace \(namespace) there are", candidates, none: "namespace \(namespace) has none"))
    case .targetNotFound(let target, let namespace, let candidates):
      ErrorMessage(
        "there is no \(target) in namespace \(namespace)",
        why: Self.listing("there are", candidates, none: "nothing there can be redirected"),
        remedy: "name one with --target KIND/NAME, or another namespace with --namespace")
    case .unsupportedTarget(let target, let why):
      ErrorMessage(
        "\(target) cannot be redirected", why: why,
        remedy: "name a Deployment, a Service of one, or a pod that a Deployment owns")
    case .missingRights(let rights, let namespace):
      ErrorMessage(
        "you may not do all that is needed in namespace \(namespace)",
        why: "missing: \(rights.joined(separator: ", "))",
        remedy: "ask whoever administers the cluster for the role `edit` there")
    case .ambiguousService(let service, let owners):
      ErrorMessage(
        owners.isEmpty
          ? "service/\(service) leads to no workload: no pod matches its selector"
          : "service/\(service) leads to several workloads",
        why: owners.isEmpty ? nil : owners.joined(separator: ", "),
        remedy: "name the workload itself with --target deployment/NAME")
    case .scaledToZero(let name, let namespace):
      ErrorMessage(
        "deployment/\(name) is scaled to zero: there is no pod to redirect",
        remedy: "scale it up with: kubectl -n \(namespace) scale deployment/\(name) --replicas=1")
    case .paused(let name, let namespace):
      ErrorMessage(
        "deployment/\(name) is paused and would not roll out the agent",
        remedy: "resume it with: kubectl -n \(namespace) rollout resume deployment/\(name)")
    case .noSuchContainer(let name, let available):
      ErrorMessage(
        "the pod has no container \(name)", why: "its containers: \(available.joined(separator: ", "))",
        remedy: nearest(to: name, in: available).map { "did you mean --container \($0)?" })
    case .ambiguousContainer(let available):
      ErrorMessage(
        "the pod has several containers that could be meant: \(available.joined(separator: ", "))",
        remedy: "name one with --container NAME")
    case .otherArchitecture(let wanted, let payload):
      ErrorMessage("the pods run on \(wanted), and this devrun brings an agent for \(payload)")
    case .alreadyRedirected(let name, let holder, let since, let namespace):
      ErrorMessage(
        "deployment/\(name) is redirected already, by \(holder) since \(since)",
        why: "two sessions cannot share one workload",
        remedy: "if that session is gone, put the workload back with: "
          + Restoration.commandLine(of: "deployment/\(name)", in: namespace))
    case .recordTooLarge(let bytes):
      ErrorMessage(
        "the workload is too large to be recorded on itself (\(bytes) bytes; an object's annotations hold 262144)")
    case .recordUnreadable(let name, let cause):
      ErrorMessage(
        "the record of what \(name) was, in its annotation devrun.dev/original, cannot be read", why: cause,
        remedy: "use the devrun that made it, or apply the original manifest and remove the annotation")
    case .contended(let name):
      ErrorMessage("\(name) changes all the time: devrun gave up", remedy: "wait until its rollout is over")
    case .agentFailed(let pod, let why):
      ErrorMessage("the agent does not run in pod/\(pod)", why: why)
    case .rolloutStuck(let name, let why):
      ErrorMessage("the agent's rollout of \(name) makes no headway", why: why)
    case .noCarrierImage(let namespace):
      ErrorMessage(
        "nothing runs in namespace \(namespace) whose image could carry the agent",
        remedy: "name one that the cluster can pull with --image REF; any Linux image will do")
    case .payloadMissing(let path, let cause):
      ErrorMessage(
        "the agent is not where it should be: \(path)", why: cause, remedy: "run 'make build' or install anew")
    case .noSessionDirectory(let path, let errno):
      ErrorMessage("no folder for the session could be made in \(path)", why: Errno(rawValue: errno).description)
    case .noSessionLog(let path, let errno):
      ErrorMessage("this session has no log: \(path)", why: Errno(rawValue: errno).description)
    case .volumeNotMounted(let volume, let container):
      ErrorMessage("container \(container) does not mount volume \(volume)")
    case .volumeTooLarge(let volume, let bytes, let limit):
      ErrorMessage(
        "volume \(volume) is not copied: it holds "
          + (bytes.map(ByteCount.text) ?? "more than \(ByteCount.text(limit))"),
        why: "the limit is \(ByteCount.text(limit)) a volume",
        remedy: "raise it with --volume-limit, or name a part of the volume in azds-local.env: "
          + "${volumes.\(volume)/folder/*.txt}")
    case .emptyPart(let part):
      ErrorMessage(
        "there is no ${volumes.\(part)} in the container", why: "the volume holds nothing of that name",
        remedy: "see what it holds with ${volumes.\(part.prefix { $0 != "/" })}")
    case .cannotChange(let path, let errno):
      ErrorMessage("\(path) cannot be changed", why: Errno(rawValue: errno).description)
    case .cancelled(let signal):
      ErrorMessage("interrupted by signal \(signal) before the command was started")
    case .notRestored(let failures, let remedy):
      ErrorMessage("not everything could be put back", why: failures.joined(separator: "\n"), remedy: remedy)
    }
  }

  private static func listing(_ beginning: String, _ items: [String], none: String) -> String {
    items.isEmpty ? none : beginning + "\n" + items.map { "  " + $0 }.joined(separator: "\n")
  }
}
