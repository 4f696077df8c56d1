import DevrunConfig
import DevrunCore
@testable import DevrunKube
import DevrunSystem
import Foundation
import NIOSSL

/// Where the kubeconfig of the moment is: its reader reads files.
private let folder = FileManager.default.temporaryDirectory.appending(path: "devrun-fuzz-\(getpid())")

/// libFuzzer's entry: any bytes as a kubeconfig and as what a credential plugin prints.
///
/// Both are read, or refused with an error in words. What was read becomes TLS settings and a header, as before a
/// request: the settings are hashed, which a connection pool does, and a TLS context is made of them.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: data, count: size))
  tolerating {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data(bytes).write(to: folder.appending(path: "config"))
    let access = try Kubeconfig.access(
      from: .init(file: "config", environment: [:], home: nil, workingDirectory: folder.path))
    try use(access)
  }
  for version in ExecCredentialPlugin.supportedVersions {
    tolerating {
      let credential = try ExecCredential(output: bytes, command: "login", apiVersion: version)
      precondition(HeaderText.isValue(credential.token ?? ""))
      var access = ClusterAccess(server: "https://kube.test", contextName: "c")
      access.credentials.clientCertificate = credential.clientCertificate
      try use(access)
    }
  }
  return 0
}

private func use(_ access: ClusterAccess) throws {
  switch access.credentials.authorization {
  case .token(let token): precondition(HeaderText.isValue(token))
  case .idToken(let token): precondition(HeaderText.isValue(token.token))
  default: break
  }
  guard let server = ServerURL(access.server) else { return }
  _ = try ProxyServer.choose(for: server, access: access, environment: [:])
  let settings = try TLSSettings(server: server, access: access, environment: [:])
  let configuration = try settings.configuration(clientCertificate: access.credentials.clientCertificate)
  var hasher = Hasher()
  configuration.bestEffortHash(into: &hasher)
  _ = try NIOSSLContext(configuration: configuration)
}

/// Runs what may refuse its input with words, and must not fail in any other way.
private func tolerating(_ body: () throws -> Void) {
  do {
    try body()
  } catch let error as any UserFacingError {
    let words = error.description
    precondition(!words.isEmpty && !words.contains("BoringSSL") && !words.contains(".swift"))
  } catch {
    preconditionFailure("\(error)")
  }
}
