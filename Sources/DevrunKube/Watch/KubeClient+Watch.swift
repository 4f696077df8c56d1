import AsyncHTTPClient
import DevrunCore
import NIOCore
import NIOHTTP1

extension KubeClient {
  /// Watches a collection: first a snapshot, then each change, as long as the sequence is read. A connection that ends
  /// or breaks is resumed where it was; if that is no longer possible, a new snapshot follows.
  ///
  /// The sequence throws `KubeError` if the first list fails, and later if another try is of no use: the right to watch
  /// was taken away, or the resource is gone. It throws `CancellationError` if the task is cancelled. Cancelling the
  /// task, and giving up the iterator, closes the connection.
  public func watch(_ path: ResourcePath, labelSelector: String? = nil) -> WatchEvents {
    WatchEvents(client: self, path: path, selectors: Self.query(labelSelector: labelSelector))
  }

  /// Watches one object, as `watch(_:labelSelector:)` does: the snapshot is empty where there is none.
  public func watch(object path: ResourcePath) -> WatchEvents {
    WatchEvents(client: self, path: path.collection, selectors: Self.query(object: path))
  }

  /// Watches a collection as `watch(_:labelSelector:)` does, and goes on whatever the server answers.
  ///
  /// Every failure is followed by another attempt: credentials and rights that are refused, a server that is away or busy, a
  /// credential plugin, TLS or a proxy that fails. The waits between the attempts grow up to a minute. The sequence throws
  /// nothing but `CancellationError`.
  ///
  /// - Parameter onCondition: is called once for each new kind of trouble that has lasted for two attempts, and once when the
  ///   watch is open again.
  public func persistentWatch(
    _ path: ResourcePath, labelSelector: String? = nil, onCondition: @escaping @Sendable (WatchCondition) -> Void
  ) -> WatchEvents {
    WatchEvents(
      client: self, path: path, selectors: Self.query(labelSelector: labelSelector), onCondition: onCondition)
  }

  /// Watches one object, as `persistentWatch(_:labelSelector:onCondition:)` does: the snapshot is empty where there is none.
  public func persistentWatch(
    object path: ResourcePath, onCondition: @escaping @Sendable (WatchCondition) -> Void
  ) -> WatchEvents {
    WatchEvents(client: self, path: path.collection, selectors: Self.query(object: path), onCondition: onCondition)
  }

  private static func query(object path: ResourcePath) -> [(name: String, value: String)] {
    [("fieldSelector", "metadata.name=\(path.name ?? "")")]
  }
}

extension ResourcePath {
  /// The collection that the object of this path is in.
  fileprivate var collection: ResourcePath {
    var collection = self
    collection.name = nil
    return collection
  }
}

/// The events of a watch. Each iterator is a watch of its own.
public struct WatchEvents: AsyncSequence, Sendable {
  /// What is told.
  public typealias Element = WatchEvent

  let client: KubeClient
  let path: ResourcePath
  let selectors: [(name: String, value: String)]
  /// Whether the objects are Tables: the columns that kubectl prints.
  var isTable = false
  /// The version of a list that the caller has: the watch begins there, without a snapshot.
  var start: String?
  /// Takes the condition of a watch that goes on whatever happens; `nil` for a watch that an error may end.
  var onCondition: (@Sendable (WatchCondition) -> Void)?

  /// A new watch, that begins with the first call of `next()`.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }

  /// A watch that is under way.
  public struct AsyncIterator: AsyncIteratorProtocol {
    /// A line of this length is no object of Kubernetes, whose store takes 1.5 MB.
    private static let maximumLineSize = 64 * 1024 * 1024

    private let client: KubeClient
    private let path: ResourcePath
    private let selectors: [(name: String, value: String)]
    private let isTable: Bool
    private let onCondition: (@Sendable (WatchCondition) -> Void)?
    private var machine: WatchStateMachine
    private var framer = LineFramer()
    private var body: HTTPClientResponse.Body.AsyncIterator?
    private var opening = ContinuousClock.now

    fileprivate init(_ watch: WatchEvents) {
      client = watch.client
      path = watch.path
      selectors = watch.selectors
      isTable = watch.isTable
      onCondition = watch.onCondition
      machine = WatchStateMachine(isPersistent: watch.onCondition != nil, start: watch.start)
    }

    /// The next event. Never `nil`: a watch ends by an error alone.
    public mutating func next() async throws -> WatchEvent? {
      while true {
        try Task.checkCancellation()
        if let condition = machine.takeCondition() { onCondition?(condition) }
        switch machine.next() {
        case .list:
          if let snapshot = try await list() { return snapshot }
        case .watch(let version): try await open(from: version)
        case .read:
          if let event = try await read() { return event }
        case .backOff(let attempt, let retryAfter):
          let wait = client.options.retries.watchDelay(
            attempt: attempt, retryAfter: retryAfter, isPersistent: onCondition != nil, jitter: .random(in: 0...1))
          try await Task.sleep(for: wait)
        case .fail(let error): throw error
        }
      }
    }

    private mutating func list() async throws -> WatchEvent? {
      do {
        let list = try await client.list(path, selectors: selectors, isTable: isTable)
        machine.listed(resourceVersion: list.resourceVersion)
        return .snapshot(list.items)
      } catch let error as KubeError {
        machine.failed(error)
        return nil
      }
    }

    private var words: String { APIRequest(.GET, "watch", path).words }

    private mutating func open(from version: String) async throws {
      let seconds = client.options.watchTimeout.components.seconds
      let query =
        selectors + [
          ("watch", "true"), ("allowWatchBookmarks", "true"), ("resourceVersion", version),
          ("timeoutSeconds", String(seconds)),
        ]
      do {
        var request = APIRequest(.GET, "watch", path, query: query)
        if isTable { request.metadata = .table }
        let response = try await client.open(request)
        body = response.body.makeAsyncIterator()
        framer = LineFramer()
        opening = .now
        machine.opened()
      } catch let error as KubeError {
        machine.failed(error)
      }
    }

    private mutating func read() async throws -> WatchEvent? {
      while let line = framer.next() {
        guard let json = try? JSONValue(text: line), let line = WatchLine(json) else {
          lose("the watch brought something that is no event")
          return nil
        }
        if let event = machine.received(line, context: client.contextName, words: words) { return event }
        guard machine.isOpen else {
          body = nil
          return nil
        }
      }
      do {
        if let chunk = try await body?.next() {
          framer.append(chunk)
          if framer.pendingCount > Self.maximumLineSize { lose("the watch brought a line without an end") }
        } else {
          try Task.checkCancellation()
          body = nil
          machine.ended(wasLong: ContinuousClock.now - opening > .seconds(1))
        }
      } catch {
        try Task.checkCancellation()
        body = nil
        let failure = client.describe(error)
        // Whatever ended it in its midst, another try is right: the server was there and had accepted it.
        machine.failed(.transport(failure.isTransient ? failure : .dropped("\(failure)"), server: client.server))
      }
      return nil
    }

    private mutating func lose(_ words: String) {
      body = nil
      machine.failed(.transport(.dropped(words), server: client.server))
    }
  }
}
