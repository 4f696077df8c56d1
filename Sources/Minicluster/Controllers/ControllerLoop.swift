// The loop that all controllers have: changes of objects name what a controller must look at, each name is looked at
// once however many changes named it meanwhile, and what failed is looked at again later.

internal import DevrunCore
internal import DevrunKube
internal import Foundation
internal import Synchronization

/// The name of an object that a controller looks after.
struct ControlledName: Sendable, Hashable {
  var kind: ObjectKind
  var namespace: String?
  var name: String

  /// The name of a kind's object.
  init(_ kind: ObjectKind, in namespace: String?, named name: String) {
    self.kind = kind
    self.namespace = namespace
    self.name = name
  }

  /// An object's own name.
  init(_ kind: ObjectKind, _ object: KubeObject) { self.init(kind, in: object.namespace, named: object.name) }

  /// The present object, if there is one.
  func object(in store: ObjectStore) -> KubeObject? { store.object(kind, in: namespace, named: name) }
}

/// A controller: makes what is of one kind of object what it should be.
protocol Controller: Sendable {
  /// The kinds whose changes matter.
  var kinds: [ObjectKind] { get }

  /// What must be looked at because an object was made, changed or (`isGone`) removed.
  func concerned(by object: KubeObject, of kind: ObjectKind, isGone: Bool) -> [ControlledName]

  /// Looks at an object as it is now and writes what follows.
  ///
  /// - Returns: after how many seconds to look again even if nothing changes.
  func reconcile(_ name: ControlledName) throws(APIFailure) -> TimeInterval?
}

/// Runs a controller.
struct ControllerLoop: Sendable {
  let controller: any Controller
  let store: ObjectStore
  /// Gets a line about each failure that does not pass at once.
  let log: @Sendable (String) -> Void

  /// Runs until the task is cancelled.
  func run() async {
    let queue = WorkQueue()
    await withTaskGroup { group in
      for kind in controller.kinds { group.addTask { await follow(kind, queue) } }
      group.addTask { await work(queue) }
      await group.waitForAll()
    }
  }

  /// Puts what changes name into the queue.
  private func follow(_ kind: ObjectKind, _ queue: WorkQueue) async {
    // A stream that falls behind ends. The next one begins with all objects that there are.
    while !Task.isCancelled {
      let changes: AsyncStream<ObjectStore.Change>
      do {
        changes = try store.watch(kind, in: nil)
      } catch {
        return log("\(kind.resource) cannot be watched: \(error.status.message)")
      }
      for await change in changes {
        switch change {
        case .added(let object), .modified(let object):
          queue.add(controller.concerned(by: object, of: kind, isGone: false))
        case .deleted(let object): queue.add(controller.concerned(by: object, of: kind, isGone: true))
        case .bookmark: break
        }
      }
    }
  }

  private func work(_ queue: WorkQueue) async {
    var failures: [ControlledName: Int] = [:]
    await withDiscardingTaskGroup { timers in
      for await _ in queue.bell {
        while !Task.isCancelled, let name = queue.next() {
          var pause: TimeInterval?
          do throws(APIFailure) {
            pause = try controller.reconcile(name)
            failures[name] = nil
          } catch {
            let count = failures[name, default: 0]
            failures[name] = count + 1
            // The object changed or went while it was looked at. What it is now is read at once.
            let isPassing = [404, 409].contains(error.status.code) && count < 3
            pause = isPassing ? 0 : min(0.05 * pow(2, Double(count)), 30)
            if !isPassing { log("\(name.kind.kind) \(name.name): \(error.status.message)") }
          }
          guard let pause, queue.plan(name, at: .now.addingTimeInterval(pause)) else { continue }
          timers.addTask {
            if pause > 0, (try? await Task.sleep(for: .seconds(pause))) == nil { return }  // cancelled
            queue.addPlanned(name)
          }
        }
      }
      timers.cancelAll()
    }
  }
}

/// What a controller must look at, each name once.
private final class WorkQueue: Sendable {
  private struct State {
    var names: [ControlledName] = []
    var present: Set<ControlledName> = []
    /// When the next timer of a name ends.
    var planned: [ControlledName: Date] = [:]
  }

  private let state = Mutex(State())
  private let ring: AsyncStream<Void>.Continuation
  /// Has an element when there may be names.
  let bell: AsyncStream<Void>

  init() { (bell, ring) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

  func add(_ names: [ControlledName]) {
    guard !names.isEmpty else { return }
    state.withLock { state in
      for name in names where state.present.insert(name).inserted { state.names.append(name) }
    }
    ring.yield()
  }

  /// Takes the next name. What changes from now on adds it again.
  func next() -> ControlledName? {
    state.withLock { state in
      guard !state.names.isEmpty else { return nil }
      let name = state.names.removeFirst()
      state.present.remove(name)
      return name
    }
  }

  /// Notes that a timer will add a name.
  ///
  /// - Returns: whether one is needed: an earlier one looks at the name as well, and sets the next.
  func plan(_ name: ControlledName, at time: Date) -> Bool {
    state.withLock { state in
      if let planned = state.planned[name], planned <= time { return false }
      state.planned[name] = time
      return true
    }
  }

  /// Adds a name whose timer has ended.
  func addPlanned(_ name: ControlledName) {
    state.withLock { $0.planned[name] = nil }
    add([name])
  }
}
