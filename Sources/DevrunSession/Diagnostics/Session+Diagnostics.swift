internal import DevrunConfig
internal import DevrunCore
internal import DevrunView
internal import FoundationEssentials
internal import Glibc
internal import NIOPosix

extension Session {
  /// The log's first words.
  func introduce(_ program: ProgramInvocation) {
    reporter.mask(SecretMask.secrets(of: access.credentials))
    reporter.report(
      .record(
        "devrun \(devrunVersion), session \(name), process \(getpid()): \(program.executable) for \(target)"
          + " in namespace \(access.namespace) of context \(access.contextName) (\(access.server))"))
    for warning in access.warnings { reporter.report(.warning(warning)) }
  }

  /// What is known of the session before it connects.
  func snapshot(of program: ProgramInvocation) -> SessionSnapshot {
    SessionSnapshot(
      session: name, devrun: devrunVersion, process: getpid(), since: .now, target: target,
      namespace: access.namespace, context: access.contextName, server: access.server,
      command: program.executable.description, folder: "")
  }

  /// What was asked for, as `kind/name`.
  var target: String {
    switch options.target {
    case .existing(let reference): "\(reference)"
    case .newPod: "pod/devrun-\(name)"
    }
  }

  /// Lets `devrun diagnose` ask what this session is, until its end. A session that cannot be asked is none the worse.
  func answer(
    _ diagnosis: StateCollector, in directory: SessionDirectory, group: MultiThreadedEventLoopGroup, services: Services
  ) async {
    await diagnosis.opened(directory.path)
    do {
      let server = try await DiagnosisServer(at: "\(directory.path)/\(DiagnosisServer.socketName)", group: group) {
        try await diagnosis.state().json()
      }
      await services.onStop("ending the answers to devrun diagnose") { try await server.close() }
    } catch {
      reporter.report(.detail("devrun diagnose cannot ask this session: \(error)"))
    }
  }
}
