// The controller of Endpoints and EndpointSlices.

internal import DevrunCore
internal import DevrunKube
internal import Foundation

/// Keeps the Endpoints and EndpointSlices of services.
struct EndpointsController: Controller {
  let store: ObjectStore
  private var writer: ControllerWriter { ControllerWriter(store: store, component: "endpoint-controller") }

  init(store: ObjectStore) { self.store = store }

  var kinds: [ObjectKind] { [.service, .pod, .endpoints, .endpointSlice] }

  func concerned(by object: KubeObject, of kind: ObjectKind, isGone: Bool) -> [ControlledName] {
    switch kind {
    case .service: [ControlledName(kind, object)]
    // Whatever selected it before may not select it now.
    case .pod: store.list(.service, in: object.namespace).objects.map { ControlledName(.service, $0) }
    // What somebody has removed is made again; what nobody has asked for is left alone.
    case .endpoints where isGone: [ControlledName(.service, object)]
    case .endpointSlice where object.labels[ServiceEndpoints.managedBy] == ServiceEndpoints.sliceManager:
      object.labels[ServiceEndpoints.serviceName].map {
        [ControlledName(.service, in: object.namespace, named: $0)]
      } ?? []
    default: []
    }
  }

  func reconcile(_ name: ControlledName) throws(APIFailure) -> TimeInterval? {
    let endpoints = store.object(.endpoints, in: name.namespace, named: name.name)
    guard let service = name.object(in: store) else {
      // The slices go by their owner.
      if let endpoints { try writer.delete(.endpoints, endpoints) }
      return nil
    }
    guard !service.isTerminating,
      let wanted = ServiceEndpoints(service, pods: store.list(.pod, in: name.namespace).objects, now: .now)
    else { return nil }
    let slices = store.list(.endpointSlice, in: name.namespace).objects.filter {
      $0.labels[ServiceEndpoints.serviceName] == name.name
        && $0.labels[ServiceEndpoints.managedBy] == ServiceEndpoints.sliceManager && $0.isOwned(by: service)
    }
    do {
      try writer.perform(wanted.actions(endpoints: endpoints) + wanted.actions(slices: slices))
    } catch  where error.status.code == 403 {
      return nil  // The namespace is ending.
    }
    return nil
  }
}
