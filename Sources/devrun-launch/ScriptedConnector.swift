import DevrunCore
import DevrunLauncher
import DevrunPlan
import DevrunSystem
import Glibc

/// A cluster as the script has it.
struct ScriptedConnector: OutboundConnector {
  let routes: [LaunchScript.Route]

  func begin(to destination: IPEndpoint) -> any OutboundAttempt {
    let route = routes.first { route in
      let covers = IPNetwork(route.network)?.contains(destination.address) ?? false
      return covers && (route.port ?? destination.port) == destination.port
    }
    return ScriptedAttempt(route: route)
  }
}

/// A dial as the script has it.
private final class ScriptedAttempt: OutboundAttempt {
  private struct NoAcceptor: Error {}

  private let route: LaunchScript.Route?
  private let cancelled = AsyncStream<Void>.makeStream()

  init(route: LaunchScript.Route?) { self.route = route }

  func acceptor() async throws -> IPEndpoint {
    if route == nil { return IPEndpoint(IPAddress(127, 0, 0, 1), port: 1) }
    if let delay = route?.acceptorDelayMilliseconds, delay > 0 { try await Task.sleep(for: .milliseconds(delay)) }
    // A route that refuses needs none.
    guard let acceptor = route?.acceptor ?? (route?.errno == 0 ? nil : IPEndpoint(IPAddress(127, 0, 0, 1), port: 1))
    else { throw NoAcceptor() }
    return acceptor
  }

  func outcome() async -> DialOutcome {
    guard let route else { return .failed(.hostUnreachable) }
    return await withTaskGroup(of: DialOutcome.self) { group in
      group.addTask {
        for await _ in self.cancelled.stream { break }
        return .failed(.connectionAborted)
      }
      group.addTask {
        guard let errno = route.errno else {
          for await _ in AsyncStream<Void>.makeStream().stream {}
          return .failed(.connectionAborted)
        }
        try? await Task.sleep(for: .milliseconds(route.delayMilliseconds))
        return errno == 0 ? .connected : .failed(Errno(rawValue: errno))
      }
      let first = await group.next()
      group.cancelAll()
      return first ?? .undecided
    }
  }

  func attach(_ local: IPEndpoint) {}

  func cancel() { cancelled.continuation.finish() }
}
