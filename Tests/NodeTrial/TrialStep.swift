/// A step of a trial.
struct TrialStep: Decodable {
  /// What to do.
  enum Action: String, Decodable {
    /// Makes a pod. Answers its address and its process.
    case pod
    /// Gives the node a service's address.
    case service
    /// Starts a container. Answers its process.
    case start
    /// Runs a command in a container that was started. Answers its output and its end.
    case execute
    /// Waits until a container has written a text.
    case wait
    /// Sends a container a signal.
    case signal
    /// Waits for a container's end. Answers its output and its end.
    case end
    /// Connects to a pod's loopback address. Answers what comes.
    case connect
    /// Runs a command on the node itself. Answers its output.
    case node
    /// Removes a pod.
    case remove
  }

  /// What to do.
  var action: Action
  /// The pod's name.
  var pod: String?
  /// The container's name.
  var container: String?
  /// The command.
  var command: [String]?
  /// The working directory.
  var folder: String?
  /// The variables.
  var environment: [String: String]?
  /// Sources and targets; a target that begins with `!` is read-only.
  var mounts: [[String]]?
  /// The text to wait for, or the address.
  var text: String?
  /// The port, or the signal.
  var number: Int?
}
