package import DevrunKube

/// A Deployment stands for itself.
package struct DeploymentTarget: TargetKind {
  package let names = KindNames("deployment", short: "deploy", group: "apps")

  package func workload(_ reference: TargetReference, in namespace: Namespace) async throws -> Workload {
    Workload(object: try await object(reference, in: namespace))
  }

  package func candidates(in namespace: Namespace) async throws -> [String] {
    try await namespace.client.list(namespace.deployments).items.map { deployment in
      candidate(deployment, ports: deployment.template.containers.flatMap(\.ports).map(\.number))
    }
  }
}
