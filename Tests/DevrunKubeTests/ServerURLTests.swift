import DevrunConfig
import DevrunCore
import DevrunSystem
import Testing

@testable import DevrunKube

@Suite struct ServerURLTests {
  @Test(
    arguments: [
      ("https://kube.test", "kube.test", 443, "", "kube.test"),
      ("HTTPS://Kube.Test:6443/", "kube.test", 6443, "", "kube.test:6443"),
      ("http://10.0.0.1:80/k8s/clusters/c-1/", "10.0.0.1", 80, "/k8s/clusters/c-1", "10.0.0.1"),
      ("https://[fd00::1]:6443/a?b#c", "fd00::1", 6443, "/a", "[fd00::1]:6443"),
      ("https://[::1]", "::1", 443, "", "[::1]"),
      ("socks5://proxy", "proxy", 1080, "", "proxy"),
    ])
  func `A server URL is split into host, port, path and Host header`(
    _ text: String, _ host: String, _ port: Int, _ path: String, _ header: String
  ) throws {
    let url = try #require(ServerURL(text))
    #expect(url.host == host)
    #expect(url.port == port)
    #expect(url.path == path)
    #expect(url.hostHeader == header)
  }

  @Test func `A URL's user and password are decoded but never shown`() throws {
    let url = try #require(ServerURL("http://us%40er:p%3Ass@proxy:3128"))
    #expect(url.userInfo == ServerURL.UserInfo(user: "us@er", password: "p:ss"))
    #expect(url.display == "http://proxy:3128")
  }

  @Test(
    arguments: [
      "kube.test:6443", "ftp://kube.test", "https://", "https://:6443", "https://a:b", "https://a:0", "https://a:70000",
      "https://[::1", "https://[x]", "https://::1", "http://a%zz@b",
    ])
  func `A text that is not a server URL is refused`(_ text: String) {
    #expect(ServerURL(text) == nil)
  }
}

@Suite struct NoProxyRulesTests {
  // The table follows Go's golang.org/x/net/http/httpproxy in its behaviour.
  @Test(
    arguments: [
      ("", "kube.test", 443, false),
      ("*", "kube.test", 443, true),
      ("kube.test", "kube.test", 443, true),
      ("kube.test", "a.kube.test", 443, true),
      ("kube.test", "notkube.test", 443, false),
      (".kube.test", "a.kube.test", 443, true),
      (".kube.test", "kube.test", 443, false),
      ("*.kube.test", "a.b.kube.test", 443, true),
      ("*.kube.test", "kube.test", 443, false),
      ("KUBE.test", "kube.TEST", 443, true),
      ("kube.test:6443", "kube.test", 6443, true),
      ("kube.test:6443", "kube.test", 443, false),
      (" other.test , kube.test ", "kube.test", 443, true),
      ("10.1.2.3", "10.1.2.3", 443, true),
      ("10.1.2.3:6443", "10.1.2.3", 443, false),
      ("10.1.2.3:6443", "10.1.2.3", 6443, true),
      ("10.1.0.0/16", "10.1.200.3", 443, true),
      ("10.1.0.0/16", "10.2.0.1", 443, false),
      ("10.1.2.128/25", "10.1.2.127", 443, false),
      ("10.1.2.128/25", "10.1.2.200", 443, true),
      ("0.0.0.0/0", "8.8.8.8", 443, true),
      ("0.0.0.0/0", "fd00::1", 443, false),
      ("fd00::/8", "fd12::1", 443, true),
      ("[fd00::1]:6443", "fd00::1", 6443, true),
      ("10.1.0.0/99,kube.test", "kube.test", 443, true),
      ("", "localhost", 443, true),
      ("", "127.0.0.1", 443, true),
      ("", "127.8.8.8", 443, true),
      ("", "::1", 443, true),
      ("2.3", "10.1.2.3", 443, false),
    ])
  func `NO_PROXY excludes the same servers as with kubectl`(
    _ rules: String, _ host: String, _ port: Int, _ isExcluded: Bool
  ) {
    #expect(NoProxyRules(rules).exclude(host: host, port: port) == isExcluded)
  }
}

@Suite struct ProxyChoiceTests {
  private func choose(
    _ server: String = "https://kube.test:6443", proxyURL: String? = nil, in environment: EnvironmentVariables
  ) throws -> String? {
    let url = try #require(ServerURL(server))
    let access = ClusterAccess(server: server, proxyURL: proxyURL, contextName: "c")
    return try ProxyServer.choose(for: url, access: access, environment: environment)?.url.display
  }

  @Test func `The environment's proxy is chosen by the scheme of the server`() throws {
    let environment: EnvironmentVariables = ["HTTPS_PROXY": "http://secure:1", "http_proxy": "plain:2"]
    #expect(try choose(in: environment) == "http://secure:1")
    #expect(try choose("http://kube.test", in: environment) == "http://plain:2")
    #expect(try choose(in: ["https_proxy": "http://lower:3"]) == "http://lower:3")
    #expect(try choose(in: ["ALL_PROXY": "http://all:4"]) == nil)
    #expect(try choose(in: [:]) == nil)
  }

  @Test func `A kubeconfig's proxy-url takes precedence over the environment and ignores NO_PROXY`() throws {
    let environment: EnvironmentVariables = ["HTTPS_PROXY": "http://env:1", "NO_PROXY": "*"]
    #expect(try choose(proxyURL: "socks5://mine", in: environment) == "socks5://mine")
    #expect(try choose(in: environment) == nil)
  }

  @Test(arguments: ["ftp://proxy", "socks5://user:secret@proxy", "http://"])
  func `An unusable proxy-url is reported without its password`(_ proxy: String) throws {
    let error = #expect(throws: KubeError.self) { try choose(proxyURL: proxy, in: [:]) }
    #expect(error?.message.what.contains("proxy-url") == true)
    #expect(error?.description.contains("secret") == false)
  }
}
