import DevrunCore
import Testing

@testable import DevrunKube

@Suite("Who refused a request")
struct RefusalTests {
  private static func status(
    _ message: String, reason: String = "Forbidden", kind: String = "pods", cause: String? = nil
  ) -> APIStatus {
    APIStatus(
      code: 403, reason: reason, message: message, causes: cause.map { [.init(reason: $0, message: "x")] } ?? [],
      details: .init(kind: kind))
  }

  @Test(
    arguments: [
      #"pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "shop""#,
      #"pods "web-0" is forbidden: User "a \"quoted\" name" cannot get resource "pods/portforward" in API group """#
        + #" in the namespace "shop""#,
      #"namespaces is forbidden: User "oidc:bob" cannot list resource "namespaces" in API group "" at the cluster scope"#,
      #"deployments.apps "web" is forbidden: User "eve" cannot patch resource "deployments" in API group "apps" "#
        + #"in the namespace "shop": RBAC: clusterrole.rbac.authorization.k8s.io "dev" not found"#,
      #"pods is forbidden: User "x@corp.test" cannot list resource "pods" in API group "" in the namespace "shop": "#
        + #"requires one of ["container.pods.list"] permission(s)."#,
      #"users "root" is forbidden: User "alice" cannot impersonate resource "users" in API group "" at the cluster scope"#,
      #"forbidden: User "alice" cannot get path "/metrics""#,
      #"roles.rbac.authorization.k8s.io "r" is forbidden: user "carol" (groups=["system:authenticated"]) is attempting "#
        + "to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\"]}",
    ])
  func `The authorizer's sentence means that the user lacks a right`(message: String) {
    #expect(Self.status(message).refusal == .missingRight)
    let error = KubeError.status(Self.status(message), request: "get x", context: "staging")
    #expect(error.message.remedy?.contains("'staging' lacks this right") == true)
  }

  @Test(
    arguments: [
      #"pods "p" is forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0"#,
      #"pods "p" is forbidden: failed quota: compute: must specify limits.cpu,limits.memory"#,
      #"pods "p" is forbidden: maximum cpu usage per Container is 1, but limit is 2"#,
      #"pods "p" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false"#,
      #"pods "p" is forbidden: PodSecurityPolicy: unable to admit pod: [spec.volumes[0]: Invalid value: "hostPath"]"#,
      #"pods "p" is forbidden: unable to validate against any security context constraint: []"#,
      #"pods "p" is forbidden: ValidatingAdmissionPolicy 'no-exec' with binding 'all' denied request: no"#,
      #"pods "p" is forbidden: error looking up service account shop/web: serviceaccount "web" not found"#,
      #"admission webhook "validation.gatekeeper.sh" denied the request: [no-port-forward] User alice cannot do this"#,
    ])
  func `All else that the API server forbids is a rule of the cluster`(message: String) {
    let kind = message.hasPrefix("admission") ? "" : "pods"
    #expect(Self.status(message, reason: kind.isEmpty ? "" : "Forbidden", kind: kind).refusal == .policy)
    let error = KubeError.status(Self.status(message), request: "create pods/p", context: "c")
    #expect(error.message.remedy?.contains("lacks this right") == false)
    #expect(error.message.why == message)
  }

  @Test func `The end of a namespace is told by the cause that the API server names`() {
    let status = Self.status(
      #"pods "p" is forbidden: unable to create new content in namespace shop because it is being terminated"#,
      cause: "NamespaceTerminating")
    #expect(status.refusal == .namespaceEnds)
  }

  @Test func `What is no answer of the API server says nothing of rights`() {
    let page = APIStatus(httpCode: 403, body: Array("<html><title>403 Forbidden</title>blocked</html>".utf8))
    #expect(page.refusal == .unknown)
    #expect(APIStatus(code: 404, message: "x").refusal == nil)
  }

  @Test(
    arguments: [
      (409, "resourcequotas", true), (409, "deployments", false), (403, "pods", false), (429, "", true),
      (503, "", true),
    ])
  func `A conflict over a quota passes, and other conflicts do not`(code: Int, kind: String, passes: Bool) {
    let status = APIStatus(code: code, reason: "x", message: "x", details: .init(kind: kind))
    #expect(KubeError.status(status, request: "create x", context: "c").isTransient == passes)
  }
}
