import DevrunConfig
import Testing

@Suite("Printed credentials")
struct CredentialsTests {
  @Test(
    arguments: [
      .token("hunter2"), .tokenFile(path: "/run/token", fallback: "hunter2"),
      .basic(user: "u", password: "hunter2"),
      .exec(
        .init(
          apiVersion: "client.authentication.k8s.io/v1", command: "x",
          environment: [.init(name: "SECRET", value: "hunter2")])),
    ] as [Credentials.Authorization])
  func `Printed credentials do not contain the secret`(authorization: Credentials.Authorization) {
    let access = ClusterAccess(
      server: "https://h", contextName: "c",
      credentials: .init(
        clientCertificate: .init(certificate: [1], key: Array("hunter2".utf8)), authorization: authorization))
    #expect(!"\(access)".contains("hunter2"))
    #expect(!String(reflecting: access).contains("hunter2"))
    #expect("\(access)".contains("client certificate"))
  }
}
