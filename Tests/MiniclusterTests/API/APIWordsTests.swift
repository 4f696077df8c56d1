import DevrunCore
import DevrunKube
import NIOHTTP1
import Testing

@testable import Minicluster

/// The words are those of a cluster of version 1.20, asked with curl.
@Suite("The words of the minicluster's API")
struct APIWordsTests {
  /// A request, and what answers it.
  struct Exchange: Sendable, CustomTestStringConvertible {
    var method: HTTPMethod
    var path: String
    var type = "application/json"
    var body = ""
    var code: Int
    var reason: String
    var message: String

    init(
      _ method: HTTPMethod, _ path: String, type: String = "application/json", body: String = "", _ code: Int,
      _ reason: String, _ message: String
    ) {
      (self.method, self.path, self.type, self.body) = (method, path, type, body)
      (self.code, self.reason, self.message) = (code, reason, message)
    }

    var testDescription: String { "\(method) \(path) \(body)" }
  }

  static let maps = "/api/v1/namespaces/default/configmaps"
  static let merge = "application/merge-patch+json"
  static let unknown = "the server could not find the requested resource"

  static let exchanges: [Exchange] = [
    Exchange(.GET, "/foo", 404, "NotFound", unknown),
    Exchange(.GET, "/api/v1/foos", 404, "NotFound", unknown),
    Exchange(.GET, "/api/v1/namespaces/default/pods/none/foo", 404, "NotFound", unknown),
    Exchange(.GET, "/api/v1/namespaces/default/pods/none", 404, "NotFound", "pods \"none\" not found"),
    Exchange(
      .GET, "/apis/apps/v1/namespaces/default/deployments/none", 404, "NotFound",
      "deployments.apps \"none\" not found"),
    Exchange(.GET, "/api/v1/namespaces/default/pods/none/log", 404, "NotFound", "pods \"none\" not found"),
    Exchange(
      .GET, "/api/v1/namespaces/default/pods/none/portforward?ports=80", 404, "NotFound", "pods \"none\" not found"),
    Exchange(
      .POST, maps, body: #"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"b"}}"#, 400,
      "BadRequest", "the namespace of the provided object does not match the namespace sent on the request"),
    Exchange(
      .POST, "/api/v1/namespaces/none/configmaps", body: #"{"metadata":{"name":"a"}}"#, 404, "NotFound",
      "namespaces \"none\" not found"),
    Exchange(
      .POST, maps, body: #"{"metadata":{"name":"settings"}}"#, 409, "AlreadyExists",
      "configmaps \"settings\" already exists"),
    Exchange(
      .PUT, maps + "/b", body: #"{"metadata":{"name":"a"}}"#, 400, "BadRequest",
      "the name of the object (a) does not match the name on the URL (b)"),
    Exchange(
      .PUT, maps + "/settings", body: #"{"metadata":{"name":"settings","resourceVersion":"1"}}"#, 409, "Conflict",
      "Operation cannot be fulfilled on configmaps \"settings\": the object has been modified; please apply your "
        + "changes to the latest version and try again"),
    Exchange(
      .PATCH, maps + "/settings", type: merge, body: #"{"metadata":{"resourceVersion":"1"}}"#, 409, "Conflict",
      "Operation cannot be fulfilled on configmaps \"settings\": the object has been modified; please apply your "
        + "changes to the latest version and try again"),
    Exchange(
      .PATCH, maps + "/settings", type: "application/strategic-merge-patch+json", body: "{}", 415,
      "UnsupportedMediaType",
      "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, "
        + "application/merge-patch+json"),
    Exchange(
      .PATCH, maps + "/settings", type: "application/json-patch+json",
      body: #"[{"op":"test","path":"/data/colour","value":"red"}]"#, 422, "Invalid",
      "the server rejected our request due to an error in our request"),
    Exchange(
      .POST, maps + "/settings", body: "{}", 405, "MethodNotAllowed",
      "the server does not allow this method on the requested resource"),
    Exchange(
      .GET, maps + "?labelSelector=a%20b%20c", 400, "BadRequest",
      "unable to parse requirement: found 'b', expected: '=', '!=', '==', 'in', notin'"),
    Exchange(
      .GET, maps + "?resourceVersion=x", 500, "",
      "resourceVersion: Invalid value: \"x\": strconv.ParseUint: parsing \"x\": invalid syntax"),
    Exchange(
      .GET, maps + "?resourceVersionMatch=Exact", 422, "Invalid",
      "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden "
        + "unless resourceVersion is provided"),
    Exchange(
      .GET, maps + "?resourceVersion=1&resourceVersionMatch=Exact", 410, "Expired",
      "The resourceVersion for the provided list is too old."),
    Exchange(
      .GET, maps + "?limit=abc", 400, "BadRequest", "strconv.ParseInt: parsing \"abc\": invalid syntax"),
  ]

  @Test(arguments: exchanges)
  func `A request that is refused is answered in the words of Kubernetes`(_ exchange: Exchange) async throws {
    let store = ObjectStore()
    try store.create(
      ["metadata": ["name": "settings", "namespace": "default"], "data": ["colour": "blue"]], of: .configMap,
      by: "test")
    var head = HTTPRequestHead(version: .http1_1, method: exchange.method, uri: exchange.path)
    head.headers.add(name: "Content-Type", value: exchange.type)
    var request = APIRequest(head, user: .admin)
    request.body = Array(exchange.body.utf8)
    let answer = await APIResponder(store: store, node: PlayedNode()).answer(request)
    guard case .json(let json, let code) = answer, let status = APIStatus(json, httpCode: 0) else {
      Issue.record("\(answer) is no Status")
      return
    }
    #expect(code == exchange.code && status.code == exchange.code)
    #expect(status.reason == exchange.reason)
    #expect(status.message == exchange.message)
  }

  @Test(arguments: [
    (
      User.anonymous, "/api/v1/nodes",
      "nodes is forbidden: User \"system:anonymous\" cannot list resource \"nodes\" in API group \"\" at the cluster scope"
    ),
    (.anonymous, "/foo", "forbidden: User \"system:anonymous\" cannot get path \"/foo\""),
    (
      .developer, "/api/v1/namespaces/kube-system/pods/dns/log",
      "pods \"dns\" is forbidden: User \"developer\" cannot get resource \"pods/log\" in API group \"\" in the namespace \"kube-system\""
    ),
  ])
  func `A user without a right is refused`(_ user: User, path: String, message: String) async throws {
    let request = APIRequest(HTTPRequestHead(version: .http1_1, method: .GET, uri: path), user: user)
    let answer = await APIResponder(store: ObjectStore(), node: PlayedNode()).answer(request)
    guard case .json(let json, let code) = answer else {
      Issue.record("\(answer) is no Status")
      return
    }
    #expect(code == 403)
    #expect(json["message"]?.string == message)
  }

  @Test func `Everyone may ask for the server's version and health`() {
    for path in ["version", "healthz", "livez", "readyz"] {
      #expect(AccessRules.allow(.anonymous, path: [path]))
      #expect(Discovery.answer([path]) != nil)
    }
  }
}
