import DevrunConfig
import DevrunCore
import DevrunYAML
import Testing

@Suite("Mistakes in a kubeconfig")
struct KubeconfigErrorTests {
  private static let exec = "exec:\n  apiVersion: client.authentication.k8s.io/"

  /// Cluster, user, and the message behind the file's name.
  @Test(
    arguments: [
      (
        "proxy-url: ftp://x", "",
        ":8:16: clusters[0].cluster.proxy-url must be a URL of http, https or socks5"
      ),
      (
        "certificate-authority-data: '%%%%'", "",
        ":8:33: clusters[0].cluster.certificate-authority-data is not valid base64"
      ),
      (
        "certificate-authority-data: YWJjZ", "",
        ":8:33: clusters[0].cluster.certificate-authority-data is not valid base64"
      ),
      (
        "certificate-authority-data: YWJj", "",
        ":8:33: clusters[0].cluster.certificate-authority-data holds no PEM text"
      ),
      (
        "certificate-authority: /dev/null", "",
        ":8:28: clusters[0].cluster.certificate-authority names /dev/null, which holds no PEM text"
      ),
      (
        "insecure-skip-tls-verify: maybe", "",
        ":8:31: clusters[0].cluster.insecure-skip-tls-verify must be true or false, but is a string"
      ),
      ("tls-server-name: [x]", "", ":8:22: clusters[0].cluster.tls-server-name must be a string, but is a list"),
      ("", "token: 123", ":13:12: users[0].user.token must be a string, but is a number"),
      (
        "", "token: \"a\\nb\"",
        ":13:12: users[0].user.token holds a line break or another control character, which no token has"
      ),
      (
        "", "token: a\nusername: b",
        ":12:5: users[0].user has both a token and a user name or password, but only one can be sent"
      ),
      ("", "as-groups: [a]", ":12:5: users[0].user has as-uid, as-groups or as-user-extra without 'as'"),
      ("", "as: a\nas-groups: b", ":14:16: users[0].user.as-groups must be a list, but is a string"),
      ("", "exec: {}", ":13:11: users[0].user.exec must have 'apiVersion'"),
      (
        "", "\(exec)v1alpha1\n  command: x",
        ":14:19: users[0].user.exec.apiVersion is 'client.authentication.k8s.io/v1alpha1', but must be "
          + "client.authentication.k8s.io/v1 or client.authentication.k8s.io/v1beta1"
      ),
      ("", "\(exec)v1", ":14:7: users[0].user.exec must have 'command'"),
      ("", "\(exec)v1\n  command: ''", ":15:16: users[0].user.exec.command must not be empty"),
      (
        "", "\(exec)v1\n  command: x",
        ":14:7: users[0].user.exec must have 'interactiveMode', one of Never, IfAvailable, Always"
      ),
      (
        "", "\(exec)v1\n  command: x\n  interactiveMode: always",
        ":16:24: users[0].user.exec.interactiveMode is 'always', but must be one of Never, IfAvailable, Always"
      ),
      (
        "", "\(exec)v1\n  command: x\n  interactiveMode: Never\n  env: [{value: b}]",
        ":17:13: users[0].user.exec.env[0] must have 'name'"
      ),
      (
        "", "\(exec)v1\n  command: x\n  interactiveMode: Never\n  env: [{name: a=b}]",
        ":17:20: users[0].user.exec.env[0].name must be the name of a variable: not empty and without '='"
      ),
    ])
  func `A mistake in a cluster or user of a kubeconfig is reported with its place`(
    cluster: String, user: String, expected: String
  ) throws {
    let error = try #require(throws: YAMLError.self) { try access(kubeconfig(cluster: cluster, user: user)) }
    #expect(error.message.what.hasSuffix("/config\(expected)"), "\(error.message.what)")
  }

  /// A replacement in the whole text, and the message behind the file's name.
  @Test(
    arguments: [
      ("apiVersion: v1", "apiVersion: v2", ":1:13: apiVersion is 'v2', but a kubeconfig has 'v1'"),
      ("kind: Config", "kind: Pod", ":2:7: kind is 'Pod', but a kubeconfig has 'Config'"),
      ("    server: https://h:6443", "    serve: x", ":7:5: clusters[0].cluster must have 'server'"),
      (
        "https://h:6443", "ftp://h",
        ":7:13: clusters[0].cluster.server must be a URL of http or https"
      ),
      ("https://h:6443", "''", ":7:13: clusters[0].cluster.server must be a URL of http or https"),
      ("    cluster: k", "    clustr: k", ":15:5: contexts[0].context must have 'cluster'"),
      (
        "users:\n- name: u", "users:\n- name: u\n- name: u",
        ":10:9: users[1].name is 'u', which is the name of another one, in line 9"
      ),
    ])
  func `A mistake in the structure of a kubeconfig is reported with its place`(
    old: String, new: String, expected: String
  ) throws {
    let text = kubeconfig().replacing("\n\n", with: "\n").replacing(old, with: new)
    let error = try #require(throws: YAMLError.self) { try access(text) }
    #expect(error.message.what.hasSuffix("/config\(expected)"), "\(error.message.what)")
  }

  @Test func `A mistake in a kubeconfig's user is ignored if the context does not refer to that user`() throws {
    let text = kubeconfig().replacing("users:\n", with: "users:\n- name: other\n  user: {token: 5}\n")
    #expect(throws: Never.self) { try access(text) }
  }

  @Test func `A client certificate without a key is refused`() throws {
    let data = "LS0tLS1CRUdJTiBYLS0tLS0="
    let error = try #require(throws: YAMLError.self) {
      try access(kubeconfig(user: "client-certificate-data: \(data)"))
    }
    #expect(
      error.message.what.hasSuffix("users[0].user has a client certificate but neither client-key-data nor client-key"))
  }

  @Test func `A certificate authority together with insecure-skip-tls-verify is refused`() throws {
    let cluster = "insecure-skip-tls-verify: true\ncertificate-authority-data: LS0tLS1CRUdJTiBYLS0tLS0="
    let error = try #require(throws: YAMLError.self) { try access(kubeconfig(cluster: cluster)) }
    #expect(error.message.what.contains("insecure-skip-tls-verify, which exclude each other"))
  }

  @Test func `A missing file is reported with the place in the kubeconfig that names it`() throws {
    let error = try #require(throws: KubeconfigError.self) {
      try access(kubeconfig(cluster: "certificate-authority: ca.crt"))
    }
    #expect(error.message.what.hasSuffix("/ca.crt: No such file or directory"))
    #expect(error.message.why?.hasSuffix("/config:8:28") == true)
    #expect(throws: KubeconfigError.self) { try access(kubeconfig(user: "tokenFile: token")) }
  }

  @Test(
    arguments: [
      ("azure", "kubelogin convert-kubeconfig"), ("gcp", "gke-gcloud-auth-plugin"),
      ("openstack", "exec"),
    ])
  func `A legacy auth-provider is refused with a hint at what replaces it`(name: String, remedy: String) throws {
    let error = try #require(throws: KubeconfigError.self) {
      try access(kubeconfig(user: "auth-provider:\n  name: \(name)"))
    }
    guard case .legacyAuthProvider(name, "u", let place) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(place.hasSuffix("/config:14:7"))
    #expect(error.message.remedy?.contains(remedy) == true)
  }

  @Test func `An unknown context, cluster or user is reported with the existing ones and the nearest match`() throws {
    func failure(_ text: String, context: String? = nil) throws -> KubeconfigError {
      try #require(throws: KubeconfigError.self) { try access(text, context: context) }
    }
    let text = kubeconfig().replacing("- name: c\n", with: "- name: staging\n  context: {}\n- name: c\n")
    let asked = try failure(text, context: "stagng")
    #expect(asked.message.what == "there is no context 'stagng'")
    #expect(asked.message.remedy == "did you mean 'staging'? The contexts are: staging, c")
    let current = try failure(text.replacing("current-context: c", with: "current-context: gone"))
    #expect(current.message.why?.hasSuffix("/config:3:18 names it") == true)
    let none = try failure(text.replacing("current-context: c", with: "current-context: ''"))
    #expect(none.message.what == "no context is selected")
    #expect(none.message.remedy == "use --context NAME. The contexts are: staging, c")
    let cluster = try failure(text.replacing("cluster: k", with: "cluster: kk"))
    #expect(cluster.message.what.hasSuffix("the context 'c' names the cluster 'kk', which does not exist"))
    #expect(cluster.message.remedy == "did you mean 'k'? The clusters are: k")
    let user = try failure(text.replacing("user: u\n", with: "user: zzz\n"))
    #expect(user.message.what.hasSuffix("the context 'c' names the user 'zzz', who does not exist"))
    #expect(user.message.remedy == "The users are: u")
  }
}
