import DevrunCore
import DevrunKube
import Synchronization
import Testing

@testable import Minicluster

@Suite("Watches of the minicluster's object store")
struct StoreWatchTests {
  private let store = ObjectStore()

  /// A change in few words: `+web`, `~web`, `-web`, `=` for a bookmark.
  private func words(_ change: ObjectStore.Change?) -> String {
    switch change {
    case .added(let object)?: "+\(object.name)"
    case .modified(let object)?: "~\(object.name)"
    case .deleted(let object)?: "-\(object.name)"
    case .bookmark?: "="
    case nil: "end"
    }
  }

  private func label(_ name: String, _ value: String) throws {
    try store.update(.pod, in: "default", named: name, by: "test") { $0.labels["app"] = value }
  }

  private func next(
    _ count: Int, _ iterator: inout AsyncStream<ObjectStore.Change>.AsyncIterator
  ) async -> [String] {
    var result: [String] = []
    while result.count < count { result.append(words(await iterator.next(isolation: nil))) }
    return result
  }

  @Test func `A watch without a version sends what there is, a bookmark, and then what changes`() async throws {
    try store.create(StoreFixture.pod("a"), of: .pod, by: "test")
    try store.create(StoreFixture.pod("b"), of: .pod, by: "test")
    var changes = try store.watch(.pod, in: nil).makeAsyncIterator()
    #expect(await next(3, &changes) == ["+a", "+b", "="])
    try label("a", "x")
    try store.create(["metadata": ["name": "c"]], of: .configMap, by: "test")
    try store.delete(.pod, in: "default", named: "b")
    #expect(await next(2, &changes) == ["~a", "-b"])
  }

  @Test func `A watch that waits gets a change that comes later`() async throws {
    let version = store.resourceVersion
    let stream = try store.watch(.pod, in: "default", since: version)
    let reader = Task {
      for await change in stream { return words(change) }
      return "end"
    }
    try store.create(StoreFixture.pod("a"), of: .pod, by: "test")
    #expect(await reader.value == "+a")
  }

  @Test func `A watch from a version sends each change after it, in order`() async throws {
    let version = try store.create(StoreFixture.pod("a"), of: .pod, by: "test").resourceVersion.flatMap { Int($0) }
    for value in 1...20 { try label("a", String(value)) }
    let stream = try store.watch(.pod, in: "default", since: version)
    var values: [String] = []
    for await case .modified(let pod) in stream {
      values.append(pod.labels["app"] ?? "")
      if values.count == 20 { break }
    }
    #expect(values == (1...20).map(String.init))
  }

  @Test func `An object that comes to be selected is added, and one that is no longer selected is deleted`()
    async throws
  {
    try store.create(StoreFixture.pod("a", labels: ["app": "other"]), of: .pod, by: "test")
    let version = store.resourceVersion
    for value in ["web", "web2", "web", "other"] { try label("a", value) }
    let selection = try Selection(labels: "app in (web, web2)")
    var changes = try store.watch(.pod, in: "default", where: selection, since: version).makeAsyncIterator()
    #expect(await next(4, &changes) == ["+a", "~a", "~a", "-a"])
  }

  @Test func `The last state of a deleted object has the version of its end`() async throws {
    let made = try store.create(StoreFixture.pod("a"), of: .pod, by: "test")
    let version = store.resourceVersion
    try store.delete(.pod, in: "default", named: "a")
    var changes = try store.watch(.pod, in: "default", since: version).makeAsyncIterator()
    guard case .deleted(let last)? = await changes.next(isolation: nil) else {
      Issue.record("no deletion came")
      return
    }
    #expect(last.uid == made.uid)
    #expect(last.resourceVersion == String(store.resourceVersion))
    #expect(last.resourceVersion != made.resourceVersion)
  }

  @Test func `A watch from a version that is forgotten is refused as expired`() async throws {
    let version = store.resourceVersion
    try store.create(StoreFixture.pod("a"), of: .pod, by: "test")
    var late = try store.watch(.pod, in: "default", since: version).makeAsyncIterator()
    for value in 0..<ChangeHistory.limit * 2 { try label("a", String(value)) }
    let failure = #expect(throws: APIFailure.self) { try store.watch(.pod, in: "default", since: version) }
    #expect(failure?.status.code == 410)
    #expect(failure?.status.reason == "Expired")
    #expect(failure?.status.message.hasPrefix("too old resource version: \(version) (") == true)
    // A reader that has fallen behind learns it as well: its stream ends.
    #expect(await next(1, &late) == ["end"])
    // The last changes are kept, and other kinds are not concerned.
    _ = try store.watch(.pod, in: "default", since: store.resourceVersion - ChangeHistory.limit)
    _ = try store.watch(.service, in: "default", since: version)
  }

  @Test func `A watch from a version of the future is refused`() {
    let failure = #expect(throws: APIFailure.self) { try store.watch(.pod, in: nil, since: 5) }
    #expect(failure?.status.code == 504)
    #expect(failure?.status.message == "Timeout: Too large resource version: 5, current: 1")
  }

  @Test func `Bookmarks carry a watch of something quiet over the changes of others`() async throws {
    try store.create(StoreFixture.pod("a"), of: .pod, by: "test")
    var changes = try store.watch(.pod, in: nil, where: Selection(name: "b")).makeAsyncIterator()
    #expect(await next(1, &changes) == ["="])
    for value in 0..<150 { try label("a", String(value)) }
    guard case .bookmark(let version)? = await changes.next(isolation: nil) else {
      Issue.record("no bookmark came")
      return
    }
    #expect(version == store.resourceVersion)
  }

  @Test func `A watch ends with the task that reads it, and leaves nobody waiting`() async throws {
    let stream = try store.watch(.pod, in: nil, since: store.resourceVersion)
    let reader = Task {
      for await _ in stream {}
      return true
    }
    reader.cancel()
    #expect(await reader.value)
    #expect(store.state.withLock { $0.tables[.pod]?.waiting.isEmpty ?? true })
  }

  @Test func `Many readers and writers see the same order`() async throws {
    for name in ["a", "b", "c"] { try store.create(StoreFixture.pod(name), of: .pod, by: "test") }
    let version = store.resourceVersion
    let total = 3 * 100
    let orders = try await withThrowingTaskGroup(of: [String].self) { group in
      for _ in 0..<4 {
        let stream = try store.watch(.pod, in: nil, since: version)
        group.addTask {
          var versions: [String] = []
          for await case .modified(let pod) in stream {
            versions.append(pod.resourceVersion ?? "")
            if versions.count == total { break }
          }
          return versions
        }
      }
      for name in ["a", "b", "c"] {
        group.addTask {
          for value in 0..<100 { try label(name, String(value)) }
          return []
        }
      }
      var orders: [[String]] = []
      for try await order in group where !order.isEmpty { orders.append(order) }
      return orders
    }
    #expect(orders.count == 4)
    #expect(Set(orders) == [(version + 1...version + total).map(String.init)])
  }
}
