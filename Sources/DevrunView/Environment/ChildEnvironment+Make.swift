package import DevrunConfig
internal import DevrunCore
package import DevrunSystem

/// What the user's files and options say of the command's environment.
package struct EnvironmentRequest: Sendable {
  /// What the files that adjust environment and volumes say.
  package var localEnv: LocalEnvFile
  /// Variables of `devrun.yaml`, which the files may assign otherwise.
  package var projectVariables: [EnvironmentVariables.Variable]
  /// Variables of the command line.
  package var variables: [EnvironmentVariables.Variable]
  /// Which of the container's variables the command gets.
  package var filter: NameFilter

  /// A request of the given parts.
  package init(
    localEnv: LocalEnvFile, projectVariables: [EnvironmentVariables.Variable],
    variables: [EnvironmentVariables.Variable], filter: NameFilter
  ) {
    self.localEnv = localEnv
    self.projectVariables = projectVariables
    self.variables = variables
    self.filter = filter
  }
}

extension ChildEnvironment {
  /// The variables that the command gets.
  ///
  /// - Parameters:
  ///   - request: what the user's files and options say.
  ///   - shell: this process's variables.
  ///   - container: the container's variables.
  ///   - view: the cluster's services.
  ///   - volumes: the volumes that lie here.
  ///   - namespace: the session's namespace.
  /// - Throws: `LocalEnvError` for what the files name and is not there.
  package static func make(
    _ request: EnvironmentRequest, shell: EnvironmentVariables, container: EnvironmentVariables, view: ClusterView,
    volumes: MaterializedVolumes, namespace: String
  ) throws -> EnvironmentVariables {
    let services = view.services
    let local = services.compactMap { key, entry -> ServiceAddress? in
      guard key.namespace == namespace, let address = entry.clusterIPs.first else { return nil }
      return ServiceAddress(name: key.name, clusterIP: address.description, local: entry.local.description)
    }
    var environment = ChildEnvironment(
      shell: shell, container: container, filter: request.filter, services: local, assignments: [],
      clusterNames: ["127.0.0.0/8", ".svc", ".cluster.local"]
        + services.flatMap { $1.names + $1.clusterIPs.map(\.description) }.sorted()
        + view.networksOfPod)
    let assignments = try request.localEnv.environment(
      volumes: volumes.names, variables: environment.resolved(), volumePath: { volumes.folder(of: $0) },
      serviceAddress: { reference in
        let key = AddressBook.Key(namespace: reference.namespace ?? namespace, name: reference.name)
        return view.address(of: key)?.description ?? ""
      })
    environment.assignments = request.projectVariables + assignments + request.variables
    return environment.resolved()
  }
}
