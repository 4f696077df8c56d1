import DevrunCore
import DevrunSystem
import Glibc
import TestSupport
import Testing

extension Cluster {
  /// Starts `devrun` as the ordinary user.
  func start(
    _ arguments: [String], as account: Account? = nil, environment: EnvironmentVariables = [:],
    directory: String? = nil, place: TestProcess.Place = .ownGroup, program: String? = nil
  ) throws -> TestProcess {
    try start(
      command: [program ?? devrun] + arguments, as: account, environment: environment, directory: directory,
      place: place)
  }

  /// Starts any command, such as one that runs `devrun`, as the ordinary user.
  func start(
    command: [String], as account: Account? = nil, environment: EnvironmentVariables = [:], directory: String? = nil,
    place: TestProcess.Place = .ownGroup
  ) throws -> TestProcess {
    let variables = user.environment.merging(["KUBECONFIG": RawString((account ?? developer).kubeconfig)])
    return try TestProcess(
      user.command(command), environment: variables.merging(environment), directory: directory ?? user.work,
      place: place)
  }

  /// Runs `devrun` as the ordinary user from its start to the end of all its processes.
  func devrun(
    _ arguments: String..., as account: Account? = nil, environment: EnvironmentVariables = [:],
    directory: String? = nil, input: String = "", within limit: Duration = .seconds(60), fileID: String = #fileID,
    line: Int = #line
  ) async throws -> Outcome {
    try await start(arguments, as: account, environment: environment, directory: directory)
      .outcome(input: input, within: limit, fileID: fileID, line: line)
  }

  /// Runs sessions and checks that the namespace and this machine are afterwards what they were before.
  ///
  /// - Parameter restless: an app whose pods never run as they should.
  @discardableResult
  func leavingNoTrace<Value>(
    restless: String? = nil, sourceLocation: SourceLocation = #_sourceLocation, _ sessions: () async throws -> Value
  ) async throws -> Value {
    try await kubectl.settled(restless: restless)
    let before = try await NamespaceSnapshot(of: kubectl)
    do {
      let value = try await sessions()
      try await expectNoTrace(since: before, restless, sourceLocation: sourceLocation)
      return value
    } catch {
      try await expectNoTrace(since: before, restless, sourceLocation: sourceLocation)
      throw error
    }
  }

  /// Checks that nothing of devrun is left on this machine and that the namespace is what it was.
  private func expectNoTrace(
    since before: NamespaceSnapshot, _ restless: String?, sourceLocation: SourceLocation
  ) async throws {
    do {
      try await machine.isClean()
      try await kubectl.settled(restless: restless)
      // Controllers need a moment to write down what they did last.
      try await eventually(within: .seconds(15), every: .seconds(1)) {
        let differences = try await NamespaceSnapshot(of: kubectl).differences(from: before)
        return differences.isEmpty ? nil : "left in the namespace:\n\(differences.joined(separator: "\n"))"
      }
    } catch {
      Issue.record(error, sourceLocation: sourceLocation)
      try await heal()
    }
  }

  /// Kills all processes of a session, as a crash would.
  func killSession(_ process: TestProcess) async throws {
    // The keeper first: the front would be told of its end, and the child has no other reason to go.
    for (id, _) in try machine.processes() where id != process.id { kill(id, SIGKILL) }
    process.signal(SIGKILL)
    try await process.status(within: .seconds(10))
  }

  /// Makes the objects of a manifest for the time of a test.
  func with(manifest name: String, serverSide: Bool = false, _ body: () async throws -> Void) async throws {
    let objects = try manifest(name)
    try await kubectl("apply", "--server-side=\(serverSide)", "-f", "-", input: objects)
    do {
      try await body()
    } catch {
      try await kubectl.delete(manifest: objects)
      throw error
    }
    try await kubectl.delete(manifest: objects)
  }

  /// Runs something and checks that it has written nothing at all to the namespace.
  func touchingNothing<Value>(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Value
  ) async throws -> Value {
    try await kubectl.settled()
    let before = try await kubectl.resourceVersions()
    let value = try await body()
    let after = try await kubectl.resourceVersions()
    #expect(after == before, sourceLocation: sourceLocation)
    return value
  }
}
