// A watch is a cursor on the history of its kind: it reads what is new, and waits for the next change when there is
// nothing. So a reader gets the changes in the order in which they were made, however slow it is, and a slow reader costs
// no memory: if it falls behind by more than the history, its stream ends.
internal import Synchronization

package import DevrunKube

extension ObjectStore {
  /// One change, as a watch sends it.
  package enum Change: Sendable {
    case added(KubeObject)
    case modified(KubeObject)
    /// The object's last state, with the version of its end.
    case deleted(KubeObject)
    /// Nothing that is selected has changed up to this version.
    case bookmark(resourceVersion: Int)
  }

  /// The changes of a kind from a version on; with `nil` first all objects that there are, as added, and then a bookmark.
  /// Ends with the task that reads it, and if that task falls behind by more changes than the store keeps.
  ///
  /// - Throws: 410 `Expired` if changes since that version are forgotten, 504 if it is a version of the future.
  package func watch(
    _ kind: ObjectKind, in namespace: String?, where selection: Selection = .all, since version: Int? = nil
  ) throws(APIFailure) -> AsyncStream<Change> {
    let cursor: WatchCursor
    if let version {
      let (forgotten, current) = state.withLock { ($0.tables[kind]?.history.forgotten ?? 0, $0.version) }
      guard version >= forgotten else { throw .expired(since: version, oldest: forgotten) }
      guard version <= current else { throw .tooLarge(version: version, current: current) }
      cursor = WatchCursor(self, kind, namespace, selection, after: version, present: nil)
    } else {
      let snapshot = list(kind, in: namespace, where: selection)
      cursor = WatchCursor(
        self, kind, namespace, selection, after: snapshot.resourceVersion, present: snapshot.objects)
    }
    return AsyncStream { await cursor.next() }
  }

  /// The changes of a kind after a version, without waiting.
  func changes(of kind: ObjectKind, after version: Int) -> ArraySlice<ChangeHistory.Entry>? {
    state.withLock { $0.tables[kind, default: Table()].history.entries(after: version) }
  }

  /// Waits until there is a change of a kind after a version, or the task is cancelled.
  func waitForChange(of kind: ObjectKind, after version: Int) async {
    let number = state.withLock { state in
      state.lastWaiter += 1
      return state.lastWaiter
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          let news = state.tables[kind, default: Table()].history.entries(after: version)
          // A cancellation before this point finds nobody to resume; one after it finds the continuation.
          guard news?.isEmpty ?? false, !Task.isCancelled else { return true }
          state.tables[kind, default: Table()].waiting[number] = continuation
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      let continuation = state.withLock { $0.tables[kind]?.waiting.removeValue(forKey: number) }
      continuation?.resume()
    }
  }
}

/// Where a watch is in the history. Read by one task.
private final class WatchCursor: Sendable {
  private struct State {
    var position: Int
    /// Changes that are to be sent next.
    var pending: ArraySlice<ObjectStore.Change>
    /// How many changes were passed over since the last one that was sent.
    var passedOver = 0
  }

  /// After how many changes that are not selected a bookmark is due.
  private static let bookmarkInterval = 100

  private let store: ObjectStore
  private let kind: ObjectKind
  private let namespace: String?
  private let selection: Selection
  private let state: Mutex<State>

  init(
    _ store: ObjectStore, _ kind: ObjectKind, _ namespace: String?, _ selection: Selection, after version: Int,
    present: [KubeObject]?
  ) {
    self.store = store
    self.kind = kind
    self.namespace = namespace
    self.selection = selection
    let first = present.map { $0.map(ObjectStore.Change.added) + [.bookmark(resourceVersion: version)] } ?? []
    state = Mutex(State(position: version, pending: first[...]))
  }

  /// The next change; `nil` at the end.
  func next() async -> ObjectStore.Change? {
    while !Task.isCancelled {
      let (change, position) = state.withLock { ($0.pending.popFirst(), $0.position) }
      if let change { return change }
      guard let news = store.changes(of: kind, after: position) else { return nil }
      if let last = news.last {
        state.withLock { state in
          state.position = last.version
          state.pending = news.compactMap(selected)[...]
          state.passedOver = state.pending.isEmpty ? state.passedOver + news.count : 0
          if state.passedOver >= Self.bookmarkInterval {
            state.passedOver = 0
            state.pending = [.bookmark(resourceVersion: last.version)]
          }
        }
      } else {
        await store.waitForChange(of: kind, after: position)
      }
    }
    return nil
  }

  /// What a change is to this watch: an object that is selected from now on was added, one that is not any more is gone.
  private func selected(_ entry: ChangeHistory.Entry) -> ObjectStore.Change? {
    if let namespace, entry.new.namespace != namespace { return nil }
    let was = entry.old.map(selection.selects) ?? false
    let isNow = !entry.isRemoval && selection.selects(entry.new)
    return switch (was, isNow) {
    case (false, false): nil
    case (false, true): .added(entry.new)
    case (true, true): .modified(entry.new)
    case (true, false): .deleted(entry.new)
    }
  }
}
