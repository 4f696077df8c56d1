import DevrunCore
import Testing

@testable import DevrunKube

@Suite struct ResourcePathTests {
  @Test(
    arguments: [
      (ResourcePath.pods(in: "shop"), "/api/v1/namespaces/shop/pods"),
      (.pods(in: nil), "/api/v1/pods"),
      (.pods(in: "shop").named("a").subresource("portforward"), "/api/v1/namespaces/shop/pods/a/portforward"),
      (.deployments(in: "shop").named("myapp1"), "/apis/apps/v1/namespaces/shop/deployments/myapp1"),
      (.replicaSets(in: "shop"), "/apis/apps/v1/namespaces/shop/replicasets"),
      (.namespaces.named("shop"), "/api/v1/namespaces/shop"),
      (.namespaces, "/api/v1/namespaces"),
      (.selfSubjectAccessReviews, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
      (.configMaps(in: "a/b").named("c d?#%é"), "/api/v1/namespaces/a%2Fb/configmaps/c%20d%3F%23%25%C3%A9"),
    ])
  func `A resource's path is the path of the API with percent-encoded names`(_ path: ResourcePath, _ expected: String) {
    #expect(path.urlPath == expected)
  }

  @Test(
    arguments: [
      (JSONPointer([]), ""),
      (JSONPointer(["metadata", "annotations", "devrun.dev/a~b"]), "/metadata/annotations/devrun.dev~1a~0b"),
      (JSONPointer(["spec"]).appending("containers").appending(0), "/spec/containers/0"),
      (JSONPointer([""]), "/"),
      (JSONPointer(["~1"]), "/~01"),
    ])
  func `A JSON pointer's tokens are escaped`(_ pointer: JSONPointer, _ expected: String) {
    #expect(pointer.description == expected)
  }

  @Test(
    arguments: [
      (JSONPatchOperation.add(["a"], 1), #"{"op":"add","path":"/a","value":1}"#),
      (.remove(["a", "b/c"]), #"{"op":"remove","path":"/a/b~1c"}"#),
      (.replace(["a"], ["x"]), #"{"op":"replace","path":"/a","value":["x"]}"#),
      (.test(["a"], nil), #"{"op":"test","path":"/a","value":null}"#),
    ])
  func `A patch operation is written as RFC 6902 defines it`(_ operation: JSONPatchOperation, _ expected: String) {
    #expect(String(decoding: operation.json.text, as: UTF8.self) == expected)
  }
}
