public import DevrunCore

/// Why a workload cannot be redirected, or not be put back.
public enum WorkloadError: UserFacingError, Hashable {
  /// The target does not exist.
  case targetNotFound(String, namespace: String, candidates: [String])
  /// The target is of a kind that cannot be redirected.
  case unsupportedTarget(String, why: String)
  /// The user lacks rights without which the session could not be held or not be undone.
  case missingRights([String], namespace: String)
  /// A service does not lead to exactly one Deployment.
  case ambiguousService(String, owners: [String])
  /// A service leads to one workload, which is no Deployment: `statefulset/db`.
  case serviceOfOtherKind(String, owner: String)
  /// The Deployment has no pod to redirect.
  case scaledToZero(String, namespace: String)
  /// A paused Deployment does not roll out the agent.
  case paused(String, namespace: String)
  /// The named container is not in the pod.
  case noSuchContainer(String, available: [String])
  /// Several containers could be meant.
  case ambiguousContainer(available: [String])
  /// The pods must run on another operating system or architecture than the agent was built for.
  case otherArchitecture(wanted: String, payload: String)
  /// The workload is redirected already.
  case alreadyRedirected(String, by: String, since: String, restore: RestoreCommandLine)
  /// A port is redirected to two local ports.
  case portTwice(UInt16)
  /// The record of the original does not fit in an annotation.
  case recordTooLarge(bytes: Int)
  /// The record of the original cannot be read.
  case recordUnreadable(String, cause: String)
  /// The workload changed again and again while devrun tried to change it.
  case contended(String)
  /// The new pod needs an image, and none runs in the namespace.
  case noCarrierImage(namespace: String)
  /// The parts of the agent are not beside the binary.
  case payloadMissing(String, cause: String)

  /// The message for the user.
  public var message: ErrorMessage {
    switch self {
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
    case .serviceOfOtherKind(let service, let owner):
      ErrorMessage(
        "service/\(service) leads to \(owner), which cannot be redirected",
        why: "devrun redirects Deployments; a \(owner.prefix { $0 != "/" }) is not supported yet",
        remedy: "run the command beside it, with the cluster's services in reach, in a pod of its own: --new-pod")
    case .scaledToZero(let name, let namespace):
      ErrorMessage(
        "deployment/\(name) is scaled to zero: there is no pod to redirect",
        remedy: "scale it up with: kubectl -n \(namespace) scale deployment/\(name) --replicas=1\n"
          + withoutTraffic)
    case .paused(let name, let namespace):
      ErrorMessage(
        "deployment/\(name) is paused and would not roll out the agent",
        remedy: "resume it with: kubectl -n \(namespace) rollout resume deployment/\(name)\n" + withoutTraffic)
    case .noSuchContainer(let name, let available):
      ErrorMessage(
        "the pod has no container \(name)", why: "its containers: \(available.joined(separator: ", "))",
        remedy: nearest(to: name, in: available).map { "did you mean --container \($0)?" })
    case .ambiguousContainer(let available):
      ErrorMessage(
        "the pod has several containers that could be meant: \(available.joined(separator: ", "))",
        remedy: "name one with --container NAME")
    case .otherArchitecture(let wanted, let payload):
      ErrorMessage(
        "the pods run on \(wanted), and this devrun brings an agent for \(payload)",
        remedy: "run the command beside them, with the cluster's services in reach, in a pod of its own: --new-pod")
    case .portTwice(let port):
      ErrorMessage(
        "port \(port) is given twice: its connections can come to one local port only",
        remedy: "name each port of the container once with --port")
    case .alreadyRedirected(let name, let holder, let since, let restore):
      ErrorMessage(
        "deployment/\(name) is redirected already, by \(holder) since \(since)",
        why: "two sessions cannot share one workload",
        remedy: "if that session is gone, put the workload back with: "
          + restore.text(of: "deployment/\(name)") + "\n" + withoutTraffic)
    case .recordTooLarge(let bytes):
      ErrorMessage(
        "the workload is too large to be recorded on itself (\(bytes) bytes; an object's annotations hold 262144)")
    case .recordUnreadable(let name, let cause):
      ErrorMessage(
        "the record of what \(name) was, in its annotation devrun.dev/original, cannot be read", why: cause,
        remedy: "use the devrun that made it, or apply the original manifest and remove the annotation")
    case .contended(let name):
      ErrorMessage("\(name) changes all the time: devrun gave up", remedy: "wait until its rollout is over")
    case .noCarrierImage(let namespace):
      ErrorMessage(
        "nothing runs in namespace \(namespace) whose image could carry the agent",
        remedy: "name one that the cluster can pull with --image REF; any Linux image will do")
    case .payloadMissing(let path, let cause):
      ErrorMessage(
        "the agent is not where it should be: \(path)", why: cause, remedy: "run 'make build' or install anew")
    }
  }

  /// What can be done beside a workload that cannot be redirected now.
  private var withoutTraffic: String { "or leave its traffic where it is, with --take-over never" }

  private static func listing(_ beginning: String, _ items: [String], none: String) -> String {
    items.isEmpty ? none : beginning + "\n" + items.map { "  " + $0 }.joined(separator: "\n")
  }
}
