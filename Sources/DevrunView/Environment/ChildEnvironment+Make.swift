package import DevrunConfig
package import DevrunCore
internal import DevrunPlan
package import DevrunSystem
internal import Glibc

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
  /// The patterns of variables of this shell and of the container that the command does not get.
  package var unset: [Wildcard]

  /// A request of the given parts.
  package init(
    localEnv: LocalEnvFile, projectVariables: [EnvironmentVariables.Variable],
    variables: [EnvironmentVariables.Variable], filter: NameFilter, unset: [Wildcard] = []
  ) {
    self.localEnv = localEnv
    self.projectVariables = projectVariables
    self.variables = variables
    self.filter = filter
    self.unset = unset
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
  ///   - domain: the cluster's domain.
  ///   - reporter: is given the names of the variables that are left out.
  /// - Throws: `LocalEnvError` for what the files name and is not there.
  package static func make(
    _ request: EnvironmentRequest, shell: EnvironmentVariables, container: EnvironmentVariables, view: ClusterView,
    volumes: MaterializedVolumes, namespace: String, domain: String, reporter: any Reporter
  ) throws -> EnvironmentVariables {
    let services = view.services
    let local = services.compactMap { key, entry -> ServiceAddress? in
      guard key.namespace == namespace, let address = entry.clusterIPs.first else { return nil }
      return ServiceAddress(name: key.name, clusterIP: address.description, local: entry.local.description)
    }
    let shown = volumes.mounts.map(\.target.description)
    @Sendable func isShown(_ path: String) -> Bool { shown.contains { path == $0 || path.hasPrefix($0 + "/") } }
    let environment = ChildEnvironment(
      shell: shell, container: container, filter: request.filter, unset: request.unset,
      services: ServiceAddresses(local),
      proxyExceptions: {
        ProxyExceptions(
          services: services, pods: view.podNames, networks: view.networksOfPod, namespace: namespace, domain: domain)
      },
      files: LocalFiles(
        isThere: { path in isShown(path) || access(path, F_OK) == 0 },
        isWritable: { path in
          isShown(path) || access(path, W_OK) == 0
            || access(path, F_OK) != 0
              && access(String(path[...(path.lastIndex(of: "/") ?? path.startIndex)]), W_OK) == 0
        }))
    let base = environment.base()
    base.report(to: reporter)
    let assignments = try request.localEnv.environment(
      volumes: volumes.names, variables: environment.named(base), volumePath: { volumes.folder(of: $0) },
      serviceAddress: { reference in
        let key = AddressBook.Key(namespace: reference.namespace ?? namespace, name: reference.name)
        return view.address(of: key)?.description ?? ""
      })
    return environment.resolved(base, assigning: request.projectVariables + assignments + request.variables)
  }

  /// What `${env.NAME}` means in the files: a variable that describes the image counts if this shell has no other.
  func named(_ base: Base) -> EnvironmentVariables {
    var result = resolved(base, assigning: [])
    for (variable, _) in base.ofImage where result[variable.name] == nil { result.set(variable) }
    return result
  }
}

extension ChildEnvironment.Base {
  /// Reports which variables of the image are left out, and why.
  fileprivate func report(to reporter: any Reporter) {
    for (reason, variables) in Dictionary(grouping: ofImage, by: \.reason).sorted(by: { $0.key < $1.key }) {
      let names = variables.map(\.variable.name.description).sorted().joined(separator: ", ")
      reporter.report(.detail("not taken from the container, since \(reason): \(names); --env-include NAME adds one"))
    }
  }
}
