internal import DevrunCore
internal import DevrunKube
internal import NIOHTTP1

/// A request to forward ports of a pod, checked.
struct PortForwardRequest: Sendable {
  /// The WebSocket subprotocol that is served (Kubernetes' pkg/kubelet/cri/streaming/portforward, websocket.go).
  static let subprotocol = "v4.channel.k8s.io"

  /// Whether a client asks for the subprotocol that is served.
  static func isAsked(by headers: HTTPHeaders) -> Bool {
    headers[canonicalForm: "Sec-WebSocket-Protocol"].contains(subprotocol[...])
  }

  /// The pod.
  var pod: PodName
  /// The pod's uid, for the words of an error.
  var uid: String
  /// The port.
  var port: UInt16

  /// The port that a request for `pods/portforward` names.
  ///
  /// - Throws: 404 if there is no such pod; 400 if there is no such port, or if the pod has no node yet.
  init(_ request: APIResponder.ResourceRequest, store: ObjectStore) throws(APIFailure) {
    let namespace = request.namespace ?? ""
    guard let object = store.object(.pod, in: namespace, named: request.name) else {
      throw .notFound(.pod, request.name)
    }
    guard let node = object.spec["nodeName"]?.string, !node.isEmpty else {
      throw .badRequest("pod \(request.name) does not have a host assigned")
    }
    let texts = request.request.query.filter { ["ports", "port"].contains($0.name) }
      .flatMap { $0.value.split(separator: ",") }
    guard let text = texts.first else { throw .badRequest("query parameter \"port\" is required") }
    guard texts.count == 1 else { throw .badRequest("the minicluster forwards one port for each WebSocket") }
    guard let port = UInt16(text), port > 0 else {
      throw .badRequest("unable to parse \"\(text)\" as a port: it must be > 0 and < 65536")
    }
    pod = PodName(namespace: namespace, name: request.name)
    uid = object.uid ?? ""
    self.port = port
  }
}

extension APIResponder {
  /// What a request to become a WebSocket forwards; `nil` if it is refused, or is about something else. Then it is answered
  /// as any other request, which says why.
  func portForward(_ head: HTTPRequestHead, user: User) -> PortForwardRequest? {
    let request = APIRequest(head, user: user)
    guard let route = ResourceRoute(request.path), route.kind == .pod, route.subresource == "portforward",
      route.name != nil, let verb = route.verb(request), PortForwardRequest.isAsked(by: head.headers)
    else { return nil }
    do throws(APIFailure) {
      try authorize(user, verb, route)
      // An upgrade takes `create` since Kubernetes 1.35, whatever its method.
      try authorize(user, .create, route)
      return try PortForwardRequest(ResourceRequest(request: request, route: route, kind: .pod), store: store)
    } catch {
      return nil
    }
  }
}
