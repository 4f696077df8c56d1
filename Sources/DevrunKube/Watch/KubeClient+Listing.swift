import DevrunCore

/// A collection, or a part of one, as it is read and then followed.
public struct ResourceCollection: Sendable {
  /// Where it is.
  public var path: ResourcePath
  /// Selects by labels, in the text form of the API; `nil`: all.
  public var labelSelector: String?
  /// Selects by fields, in the text form of the API; `nil`: all.
  public var fieldSelector: String?
  /// Whether Tables are read in place of objects: the columns that kubectl prints, which are small. A snapshot has one Table
  /// for each page, and an event has a Table with one row. Only the first Table of a connection has definitions of its
  /// columns.
  public var isTable: Bool

  /// A collection of the given parts.
  public init(
    _ path: ResourcePath, labelSelector: String? = nil, fieldSelector: String? = nil, isTable: Bool = false
  ) {
    self.path = path
    self.labelSelector = labelSelector
    self.fieldSelector = fieldSelector
    self.isTable = isTable
  }

  var selectors: [(name: String, value: String)] {
    KubeClient.query(labelSelector: labelSelector) + (fieldSelector.map { [("fieldSelector", $0)] } ?? [])
      + (isTable ? [("includeObject", "None")] : [])
  }
}

extension KubeClient {
  /// Reads a collection. Throws `KubeError`, or `CancellationError` where the task is cancelled.
  public func list(_ collection: ResourceCollection) async throws -> ResourceList {
    try await list(collection.path, selectors: collection.selectors, isTable: collection.isTable)
  }

  /// Watches a collection as `persistentWatch(_:labelSelector:onCondition:)` does.
  ///
  /// - Parameters:
  ///   - start: the version of a list that the caller has read. The watch then begins with what came later. It begins with a
  ///     snapshot if there is no such version any more.
  ///   - onCondition: is called once for each new kind of trouble, and once when the watch is open again.
  public func persistentWatch(
    _ collection: ResourceCollection, from start: String? = nil,
    onCondition: @escaping @Sendable (WatchCondition) -> Void
  ) -> WatchEvents {
    WatchEvents(
      client: self, path: collection.path, selectors: collection.selectors, isTable: collection.isTable, start: start,
      onCondition: onCondition)
  }
}
