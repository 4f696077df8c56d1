// The controllers of the cluster in one place: what a new object gets, what there is from the beginning, and who looks
// after what.

internal import DevrunCore
package import DevrunKube

/// The controllers: they make of the objects in the store what other objects ask for.
///
/// As in Kubernetes, each of them reads what there is and writes what is missing; none calls another. What they decide is a
/// function of objects (`DeploymentPlan`, `ReplicaSetPlan`, `ServiceEndpoints`, `GarbageCollection`).
package struct Controllers: Sendable {
  private let store: ObjectStore
  private let certificateAuthority: String
  private let log: @Sendable (String) -> Void

  /// The controllers of a store.
  ///
  /// - Parameters:
  ///   - store: should have been made with an admission of `admission()`.
  ///   - certificateAuthority: the certificate by which pods trust the API, as PEM.
  ///   - log: gets a line about each failure.
  package init(store: ObjectStore, certificateAuthority: String, log: @escaping @Sendable (String) -> Void) {
    self.store = store
    self.certificateAuthority = certificateAuthority
    self.log = log
  }

  /// Runs until the task is cancelled. All loops have ended when it returns.
  package func run() async {
    let controllers: [any Controller] = [
      NamespaceController(store: store, certificateAuthority: certificateAuthority),
      DeploymentController(store: store), ReplicaSetController(store: store), StatefulSetController(store: store),
      EndpointsController(store: store), GarbageCollector(store: store),
    ]
    await withTaskGroup { group in
      for controller in controllers {
        let loop = ControllerLoop(controller: controller, store: store, log: log)
        group.addTask { await loop.run() }
      }
      await group.waitForAll()
    }
  }

  // MARK: What is there from the beginning

  /// The address of the service `kube-system/kube-dns`.
  package static let resolverAddress = "10.98.0.10"
  /// The address of the service `default/kubernetes`.
  package static let apiAddress = "10.98.0.1"

  /// Makes the namespaces and services that each cluster has, as far as they are missing.
  ///
  /// Nothing is behind these services in the store: the node answers at their addresses itself.
  package static func prepare(_ store: ObjectStore) throws(APIFailure) {
    for name in ["default", "kube-system", "kube-public"] where store.object(.namespace, in: nil, named: name) == nil {
      try store.create(
        ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(name)]], of: .namespace,
        by: "minicluster")
    }
    let services: [KubeObject] = [
      [
        "apiVersion": "v1", "kind": "Service",
        "metadata": [
          "name": "kubernetes", "namespace": "default",
          "labels": ["component": "apiserver", "provider": "kubernetes"],
        ],
        "spec": [
          "type": "ClusterIP", "clusterIP": .string(apiAddress),
          "ports": [["name": "https", "port": 443, "protocol": "TCP", "targetPort": 443]],
        ],
      ],
      [
        "apiVersion": "v1", "kind": "Service",
        "metadata": [
          "name": "kube-dns", "namespace": "kube-system",
          "labels": ["k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS"],
        ],
        "spec": [
          "type": "ClusterIP", "clusterIP": .string(resolverAddress),
          "ports": [
            ["name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53],
            ["name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53],
          ],
        ],
      ],
    ]
    for service in services where store.object(.service, in: service.namespace, named: service.name) == nil {
      try store.create(service, of: .service, by: "minicluster")
    }
  }

  // MARK: What a new object gets

  /// What is done to each object that is made, for `ObjectStore.init(admit:)`.
  package static func admission() -> @Sendable (inout KubeObject, ObjectKind, ObjectStore) throws(APIFailure) -> Void {
    let addresses = ServiceAddresses()
    return { (object: inout KubeObject, kind: ObjectKind, store: ObjectStore) throws(APIFailure) in
      switch kind {
      case .pod:
        let namespace = object.namespace
        try PodAdmission.admit(&object) {
          store.object(.serviceAccount, in: namespace, named: $0)
        } suffix: {
          String((0..<5).map { _ in "bcdfghjklmnpqrstvwxz2456789".randomElement() ?? "x" })
        }
      case .service:
        let taken = store.list(.service, in: nil).objects.compactMap { $0.spec["clusterIP"]?.string }
        try addresses.admit(&object, taken: Set(taken))
      default: break
      }
    }
  }
}
