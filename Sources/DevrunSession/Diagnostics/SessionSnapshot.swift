internal import DevrunCore
public import DevrunSystem
public import DevrunTunnel
internal import DevrunView
public import Foundation

/// What a session is at one moment, for `devrun diagnose`: told by its keeper, to its user alone.
///
/// As JSON (RFC 8259) it is an object with these names; times are RFC 3339. What is not there is not known yet, or masked.
public struct SessionSnapshot: Sendable, Hashable, Codable {
  /// The version of the form. It changes when a name changes its meaning or goes, not when one is added.
  public static let currentVersion = 1

  /// How far a session is.
  public enum Stage: String, Sendable, Hashable, Codable {
    /// The cluster is being changed and the command has not started.
    case connecting
    /// The command runs.
    case running
    /// What was changed is being put back.
    case restoring
  }

  /// A pod with an agent.
  public struct Pod: Sendable, Hashable, Codable {
    /// The pod's name.
    public var name: String
    /// Since when its tunnel is up; `nil` while it is not.
    public var tunnelSince: Date?
    /// How often its tunnel broke and was made anew.
    public var reconnects: Int
    /// What keeps its tunnel from being up.
    public var problem: String?
    /// What has gone through its tunnels.
    public var traffic: Traffic
  }

  /// A port of the target whose connections come here.
  public struct Port: Sendable, Hashable, Codable {
    /// The container's port.
    public var remote: UInt16
    /// The port here.
    public var local: UInt16
  }

  /// A variable of the command.
  public struct Variable: Sendable, Hashable, Codable {
    /// The name.
    public var name: String
    /// Where its value comes from.
    public var origin: EnvironmentVariables.Origin
    /// The value of a service's variable; all others are masked.
    public var value: String?
  }

  /// A service that the command can name.
  public struct Service: Sendable, Hashable, Codable {
    /// The service's namespace.
    public var namespace: String
    /// The service's name.
    public var name: String
    /// The address here.
    public var localAddress: String
    /// The addresses in the cluster; none for a headless service, or one that does not exist.
    public var clusterAddresses: [String]
  }

  /// What names mean to the command.
  public struct Names: Sendable, Hashable, Codable {
    /// A line of its hosts file.
    public struct Entry: Sendable, Hashable, Codable {
      /// The address.
      public var address: String
      /// The names that mean it.
      public var names: [String]
    }

    /// The command's own `/etc/hosts`.
    public var hostsFile: String
    /// What stands in it.
    public var hosts: [Entry]
    /// The cluster's domain.
    public var clusterDomain: String
    /// The name servers that the agent asks for names that are not in the hosts file.
    public var nameServers: [String]
    /// The domains in which the agent looks for short names.
    public var searchDomains: [String]
    /// How many addresses of the cluster are redirected, those of pods included.
    public var redirectedAddresses: Int
  }

  /// A volume of the container.
  public struct Volume: Sendable, Hashable, Codable {
    /// The volume's name.
    public var name: String
    /// What it is of: `configMap`, `secret`, `emptyDir`, ...
    public var source: String
    /// Where the container mounts it.
    public var containerPath: String
    /// Where its files lie here; `nil` where it was not fetched.
    public var localPath: String?
    /// Where else the command sees them.
    public var mountPaths: [String]
    /// When they were fetched or renewed last.
    public var updated: Date?
  }

  /// `currentVersion` of the devrun that tells.
  public var version = Self.currentVersion
  /// The session's name.
  public var session: String
  /// The version of devrun.
  public var devrun: String
  /// The keeper's process id.
  public var process: Int32
  /// How far it is.
  public var stage = Stage.connecting
  /// When it began.
  public var since: Date
  /// What is redirected, as `kind/name`.
  public var target: String
  /// The target's namespace.
  public var namespace: String
  /// The container that the agent replaces.
  public var container: String?
  /// The kubeconfig's context.
  public var context: String
  /// The API server's URL.
  public var server: String
  /// The command's path.
  public var command: String
  /// The session's private folder.
  public var folder: String
  /// The session's log.
  public var logFile: String?
  /// The pods with an agent.
  public var pods: [Pod] = []
  /// The redirected ports.
  public var ports: [Port] = []
  /// The command's environment.
  public var environment: [Variable] = []
  /// The services that it can name.
  public var services: [Service] = []
  /// What names mean.
  public var names: Names?
  /// The container's volumes.
  public var volumes: [Volume] = []
}

extension SessionSnapshot.Variable {
  /// The variables in the order of their names. Values are left out, except those of services.
  ///
  /// - Parameter services: the names of services.
  static func list(_ environment: EnvironmentVariables, services: [String]) -> [SessionSnapshot.Variable] {
    let services = ServiceVariables(of: services)
    return environment.sorted().map { variable in
      let isShown =
        variable.origin == .container && services.contains(name: variable.name, value: variable.value)
      return .init(
        name: variable.name.description, origin: variable.origin, value: isShown ? variable.value.description : nil)
    }
  }
}

extension SessionSnapshot {
  /// The JSON form.
  ///
  /// - Throws: `EncodingError`
  func json() throws -> [UInt8] { Array(try Self.encoder.encode(self)) }

  static var encoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    encoder.dateEncodingStrategy = .iso8601
    return encoder
  }

  static var decoder: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .iso8601
    return decoder
  }
}
