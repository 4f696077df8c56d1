import DevrunCore
import Testing

@testable import DevrunKube

@Suite struct ErrorTests {
  struct Body: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var code: Int
    var text: String
    var expected: APIStatus
  }

  static let bodies = [
    Body(
      testDescription: "a Status with causes", code: 422,
      text: #"""
        {"kind":"Status","apiVersion":"v1","status":"Failure","message":"Deployment.apps \"a\" is invalid","reason":"Invalid",
        "details":{"name":"a","causes":[{"reason":"FieldValueInvalid","message":"must be positive","field":"spec.replicas"}]},
        "code":422}
        """#,
      expected: APIStatus(
        code: 422, reason: "Invalid", message: #"Deployment.apps "a" is invalid"#,
        causes: [.init(reason: "FieldValueInvalid", message: "must be positive", field: "spec.replicas")],
        details: .init(name: "a"))),
    Body(
      testDescription: "a Status without a message", code: 403, text: #"{"kind":"Status","reason":"Forbidden"}"#,
      expected: APIStatus(code: 403, reason: "Forbidden", message: "Forbidden")),
    Body(
      testDescription: "a Status without anything", code: 500, text: #"{"kind":"Status"}"#,
      expected: APIStatus(code: 500, message: "HTTP status 500")),
    Body(
      testDescription: "a Status with details", code: 429,
      text:
        #"{"kind":"Status","message":"busy","details":{"name":"q","kind":"pods","retryAfterSeconds":3},"code":429}"#,
      expected: APIStatus(
        code: 429, message: "busy", details: .init(name: "q", kind: "pods", retryAfterSeconds: 3))),
    Body(testDescription: "nothing", code: 502, text: "", expected: APIStatus(code: 502, message: "HTTP status 502")),
    Body(
      testDescription: "a line of text", code: 503, text: "no healthy upstream\n",
      expected: APIStatus(code: 503, message: "no healthy upstream")),
    Body(
      testDescription: "a page", code: 502,
      text: """
        <!DOCTYPE html>
        <html><head><title>502 Bad Gateway</title><style>b { color: red }</style></head>
        <body><h1>nginx</h1><script>alert(1)</script></body></html>
        """,
      expected: APIStatus(code: 502, message: "502 Bad Gateway: nginx")),
    Body(
      testDescription: "other JSON", code: 404, text: #"{"error":"x"}"#,
      expected: APIStatus(code: 404, message: #"{"error":"x"}"#)),
  ]

  @Test(arguments: bodies)
  func `The body of any error response becomes a status with a message`(_ body: Body) {
    #expect(APIStatus(httpCode: body.code, body: Array(body.text.utf8)) == body.expected)
  }

  @Test func `A long error body is shortened in the message`() {
    let status = APIStatus(httpCode: 500, body: Array(String(repeating: "word ", count: 1000).utf8))
    #expect(status.message.count == 200)
    #expect(status.message.hasSuffix("…"))
  }

  @Test func `A refusal is reported in the server's own words with each cause`() {
    let status = APIStatus(
      code: 422, reason: "Invalid", message: "it is invalid", causes: [.init(message: "too long", field: "a.b")])
    let error = KubeError.status(status, request: "create pods/x in namespace y", context: "c")
    #expect(error.message.what == "the cluster refused to create pods/x in namespace y")
    #expect(error.message.why == "it is invalid\na.b: too long")
    #expect(!error.isTransient)
  }

  @Test(
    arguments: [
      (TransportFailure.refused, "connection refused"),
      (.nameNotFound(host: "kube.invalid"), "'kube.invalid'"),
      (.proxy("the proxy answers: 403 Forbidden"), "403 Forbidden"),
      (.certificateNotTrusted("it has expired"), "expired"),
    ])
  func `A transport failure names the server, the cause and a remedy`(_ failure: TransportFailure, _ cause: String) {
    let message = KubeError.transport(failure, server: "https://kube.test:6443").message
    #expect(message.what.contains("https://kube.test:6443"))
    #expect(message.why?.contains(cause) == true)
    #expect(message.remedy != nil)
  }
}
