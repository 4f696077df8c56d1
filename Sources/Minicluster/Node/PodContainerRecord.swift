// What has become of a pod's containers, and how their statuses show it (`core/v1` ContainerStatus).

internal import DevrunCore

/// What has become of one container.
struct ContainerRecord: Sendable, Hashable {
  /// What a container does.
  enum State: Sendable, Hashable {
    /// It waits to be started.
    case waiting(reason: String, message: String? = nil)
    /// It has run since a time.
    case running(since: WallTime)
    /// Its process has ended.
    case terminated(Termination)
  }

  /// How a run has ended.
  struct Termination: Sendable, Hashable {
    /// The exit code; 128 and the signal's number after a signal.
    var exitCode: Int32
    /// Kubelet's one word for it.
    var reason: String
    /// What the process has left as its last words.
    var message: String?
    /// When the run began.
    var started: WallTime
    /// When it ended.
    var finished: WallTime
    /// The run.
    var containerID: String

    /// `terminated` of a state.
    var json: JSONValue {
      var json: JSONValue = [
        "exitCode": .int(Int64(exitCode)), "reason": .string(reason), "startedAt": .string(started.text),
        "finishedAt": .string(finished.text), "containerID": .string(containerID),
      ]
      json["message"] = message.map(JSONValue.string)
      return json
    }
  }

  /// The container's name.
  var name: String
  /// Its image, as the pod names it.
  var image: String
  /// What it does.
  var state: State
  /// How its last run before this one ended.
  var last: Termination?
  /// How many of its runs are over for a new one.
  var restarts = 0
  /// Whether its readiness probe, if it has one, has been answered.
  var isReady = false
  /// Whether its startup probe, if it has one, has been answered.
  var isStarted = false
  /// The latest run; `nil` before the first.
  var containerID: String?
  /// Whether it is one of the pod's init containers.
  var isInit = false

  /// A container that has not been started.
  init(name: String, image: String, isInit: Bool = false, waiting reason: String) {
    self.name = name
    self.image = image
    self.isInit = isInit
    state = .waiting(reason: reason)
  }

  /// Whether the container's process runs.
  var isRunning: Bool { if case .running = state { true } else { false } }

  /// How the present run has ended; `nil` if it has not.
  var termination: Termination? { if case .terminated(let termination) = state { termination } else { nil } }

  /// The container as ready as a status calls it: an init container is once it has ended well.
  var countsAsReady: Bool { isInit ? termination?.exitCode == 0 : isRunning && isReady }

  /// The container's status.
  var json: JSONValue {
    var json: JSONValue = [
      "name": .string(name), "image": .string(image), "imageID": .string(containerID == nil ? "" : Self.imageID),
      "ready": .bool(countsAsReady), "restartCount": .int(Int64(restarts)), "state": stateJSON,
      "lastState": last.map { ["terminated": $0.json] } ?? [:],
    ]
    json["containerID"] = containerID.map(JSONValue.string)
    if !isInit { json["started"] = .bool(isRunning && isStarted) }
    return json
  }

  /// The machine's files are every container's image.
  private static let imageID = "minicluster://machine"

  private var stateJSON: JSONValue {
    switch state {
    case .waiting(let reason, let message):
      var waiting: JSONValue = ["reason": .string(reason)]
      waiting["message"] = message.map(JSONValue.string)
      return ["waiting": waiting]
    case .running(let since): return ["running": ["startedAt": .string(since.text)]]
    case .terminated(let termination): return ["terminated": termination.json]
    }
  }
}
