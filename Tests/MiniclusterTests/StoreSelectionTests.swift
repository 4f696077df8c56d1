import DevrunCore
import DevrunKube
import Minicluster
import Testing

@Suite("Selectors of the minicluster")
struct StoreSelectionTests {
  private static let object: KubeObject = [
    "metadata": ["name": "web-1", "namespace": "shop", "labels": ["app": "web", "tier": "front", "empty": ""]],
    "spec": ["nodeName": "minicluster", "hostNetwork": true], "status": ["phase": "Running"],
  ]

  @Test(arguments: [
    ("", true), ("app=web", true), ("app==web", true), ("app = web", true), ("app=api", false), ("app!=api", true),
    ("app!=web", false), ("absent!=x", true), ("absent=x", false), ("app in (web, api)", true), ("app in (api)", false),
    ("app in (api,web),tier=front", true), ("app notin (api, db)", true), ("app notin (web)", false),
    ("absent notin (web)", true), ("app", true), ("absent", false), ("!absent", true), ("!app", false),
    ("! absent", true), ("app=web,tier=back", false), ("app=web,!absent,tier", true), ("empty=", true), ("app=", false),
    ("empty in ()", true), ("empty in (,x)", true), ("in in (x)", false), ("app!=", true),
    ("app=web, tier=front", true),
  ])
  func `A label selector selects by labels`(_ text: String, _ isSelected: Bool) throws {
    #expect(try Selection(labels: text).selects(Self.object) == isSelected)
  }

  @Test(arguments: [
    ("a in b", "unable to parse requirement: found 'b' expected: '('"),
    ("a=b,", "found '', expected: identifier after ','"),
    ("a b", "unable to parse requirement: found 'b', expected: '=', '!=', '==', 'in', notin'"),
    ("=b", "found '=', expected: !, identifier, or 'end of string'"),
    ("a=b c", "found 'c', expected: ',' or 'end of string'"),
    ("!a=b", "found '=', expected: ',' or 'end of string'"),
    (
      "a~=b",
      "unable to parse requirement: invalid label key \"a~\": name part must consist of alphanumeric characters, '-', "
        + "'_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or "
        + "'123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
    ),
  ])
  func `A text that is no label selector is refused in the API's words`(_ text: String, _ message: String) {
    let failure = #expect(throws: APIFailure.self) { try Selection(labels: text) }
    #expect(failure?.status.code == 400)
    #expect(failure?.status.message == message)
  }

  @Test(arguments: [
    ("", true), ("metadata.name=web-1", true), ("metadata.name==web-1", true), ("metadata.name=web", false),
    ("metadata.namespace=shop,metadata.name=web-1", true), ("status.phase!=Running", false),
    ("status.phase!=Failed,spec.nodeName=minicluster", true), ("spec.hostNetwork=true", true),
    ("spec.nodeName=", false), ("spec.schedulerName=", true),
  ])
  func `A field selector selects by fields`(_ text: String, _ isSelected: Bool) throws {
    #expect(try Selection(labels: nil, fields: text).selects(Self.object) == isSelected)
  }

  @Test(arguments: [
    (ObjectKind.pod, "x", "invalid selector: 'x'; can't understand 'x'"),
    (ObjectKind.pod, "spec.foo=x", "field label not supported: spec.foo"),
    (
      ObjectKind.configMap, "spec.foo=x",
      "\"spec.foo\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
    ),
  ])
  func `A field selector of a field that has none is refused in the API's words`(
    _ kind: ObjectKind, _ text: String, _ message: String
  ) {
    let failure = #expect(throws: APIFailure.self) { try Selection(labels: nil, fields: text, of: kind) }
    #expect(failure?.status.code == 400)
    #expect(failure?.status.message == message)
  }

  @Test func `An event is selected by the object that it is about`() throws {
    let event: KubeObject = [
      "involvedObject": ["kind": "Pod", "name": "web-1", "namespace": "shop", "uid": "1"], "reason": "Started",
      "type": "Normal", "source": ["component": "kubelet"],
    ]
    let selection = try Selection(
      labels: nil, fields: "involvedObject.name=web-1,involvedObject.uid=1,reason=Started,type!=Warning", of: .event)
    #expect(selection.selects(event))
    #expect(try !Selection(labels: nil, fields: "involvedObject.kind=Node", of: .event).selects(event))
  }

  @Test func `The selector of a workload selects by labels and expressions`() throws {
    func selects(_ selector: JSONValue) throws -> Bool { try Selection(labelSelector: selector).selects(Self.object) }
    #expect(try selects([:]))
    #expect(try selects(["matchLabels": ["app": "web"]]))
    #expect(try !selects(["matchLabels": ["app": "api"]]))
    #expect(try selects(["matchExpressions": [["key": "app", "operator": "In", "values": ["web"]]]]))
    #expect(try !selects(["matchExpressions": [["key": "app", "operator": "NotIn", "values": ["web"]]]]))
    #expect(try selects(["matchExpressions": [["key": "absent", "operator": "DoesNotExist"]]]))
    #expect(try !selects(["matchExpressions": [["key": "absent", "operator": "Exists"]]]))
    #expect(throws: APIFailure.self) { try selects(["matchExpressions": [["key": "app", "operator": "Like"]]]) }
  }
}
