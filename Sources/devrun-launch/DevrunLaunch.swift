import DevrunCore
import DevrunLauncher
import DevrunPlan
import DevrunSystem
import Foundation

/// `devrun-launch SCRIPT [-- WORD...]`: devrun without a cluster.
///
/// The words are for those who look at the command line, as at devrun's own.
///
/// The way of a run is the product's: front and keeper, launch, redirect, teardown. What the session would contribute is
/// read from a file.
@main
struct DevrunLaunch {
  static func main() async {
    do {
      let keeper = try SessionProcess.split()
      await run(keeper)
    } catch {
      FileHandle.standardError.write(Data("\(error)\n".utf8))
      exit(error.exitStatus.rawValue)
    }
  }

  private static func run(_ keeper: Keeper) async {
    do {
      let script = try readScript()
      let log = script.log.flatMap { FileHandle(forWritingAtPath: $0) }
      guard try await connected(script, keeper, log) else {
        keeper.finish(.failed(.devrunFailed))
        return
      }
      let table = RedirectTable(networks: script.routes.compactMap { IPNetwork($0.network) })
      let launcher = Launcher(keeper: keeper, features: script.features, helper: script.helper)
      var plan = script.plan
      plan.isolation = try await launcher.probe(script.isolation)
      let child = try await launcher.launch(plan, redirecting: table)
      try log?.write(contentsOf: Data("isolation \(child.isolation?.rawValue ?? "none")\n".utf8))
      async let listening: Void = record(child.listenEvents, in: log)
      let interruptions = Task {
        for await interruption in keeper.interruptions() {
          try? log?.write(contentsOf: Data("\(interruption)\n".utf8))
          // In the end itself, as devrun's second one.
          if script.givesUp { await keeper.end(.failed(.devrunFailed), leaving: child) }
        }
      }
      let status = await withTaskGroup(of: Void.self) { group in
        group.addTask {
          // Told by the log, if anything is: a log that nobody reads is no failure.
          if await child.ended() != nil { try? log?.write(contentsOf: Data("child ended\n".utf8)) }
        }
        group.addTask { await child.redirect?.serve(by: ScriptedConnector(routes: script.routes)) }
        let status = await keeper.accompany(
          child, grace: .milliseconds(script.graceMilliseconds), waitsForDescendants: script.waitsForDescendants)
        group.cancelAll()
        return status
      }
      await listening
      for failure in child.removeMountPoints() { try log?.write(contentsOf: Data("left \(failure.path)\n".utf8)) }
      for process in keeper.leftRunning { try log?.write(contentsOf: Data("left \(process)\n".utf8)) }
      try log?.write(contentsOf: Data("ended\n".utf8))
      if let fifo = script.finishAfter { for await _ in try closing(of: fifo) {} }
      interruptions.cancel()
      await keeper.end(status, leaving: child)
    } catch let error as any UserFacingError {
      FileHandle.standardError.write(Data("\(error)\n".utf8))
      keeper.finish(.failed(error.exitStatus))
    } catch {
      FileHandle.standardError.write(Data("\(error)\n".utf8))
      keeper.finish(.failed(.devrunFailed))
    }
  }

  private static func record(_ events: AsyncStream<ListenEvent>, in log: FileHandle?) async {
    for await event in events {
      let line =
        switch event {
        case .began(let port): "began \(port)"
        case .occupied(let port, let process): "occupied \(port) by \(process ?? "nobody known")"
        case .elsewhere(let port): "elsewhere \(port)"
        case .forbidden(let port): "forbidden \(port)"
        case .unreachable(let port, let address): "unreachable \(port) at \(address)"
        }
      // Told by the log, if anything is: a log that nobody reads is no failure.
      try? log?.write(contentsOf: Data("\(line)\n".utf8))
    }
  }

  private static func readScript() throws -> LaunchScript {
    let arguments = CommandLine.arguments
    guard arguments.count == 2 || arguments.count > 2 && arguments[2] == "--" else {
      throw CocoaError(.fileReadUnknown)
    }
    let data = try Data(contentsOf: URL(fileURLWithPath: arguments[1]))
    return try JSONDecoder().decode(LaunchScript.self, from: data)
  }

  /// A stream that ends when somebody has opened and closed the FIFO for writing.
  private static func closing(of fifo: String) throws -> AsyncStream<Void> {
    let (closed, signal) = AsyncStream<Void>.makeStream()
    try NativeThread.start(name: "fifo") {
      // Reading a FIFO ends when its last writer has closed it. A FIFO that cannot be read delays nothing.
      _ = try? Descriptor.open(RawString(fifo), O_RDONLY).readToEnd()
      signal.finish()
    }
    return closed
  }

  /// Waits for the cluster that the script plays. `false`: interrupted meanwhile.
  private static func connected(_ script: LaunchScript, _ keeper: Keeper, _ log: FileHandle?) async throws -> Bool {
    guard let fifo = script.launchAfter else { return true }
    let ready = try closing(of: fifo)
    try log?.write(contentsOf: Data("connecting\n".utf8))
    return try await withThrowingTaskGroup(of: Bool?.self) { group in
      group.addTask {
        for await _ in ready {}
        return Task.isCancelled ? nil : true
      }
      group.addTask {
        for await interruption in keeper.interruptions() {
          try log?.write(contentsOf: Data("\(interruption)\n".utf8))
          return false
        }
        return nil
      }
      let first = try await group.next()
      group.cancelAll()
      return (first ?? nil) ?? false
    }
  }
}
