internal import DevrunCore

/// Builds the tree of nodes from the parser's events.
///
/// An alias shares the node of its anchor, so it costs nothing by itself. What it costs a walk of the tree is counted
/// while the tree is composed: each node is stored with its size and its height, and an alias adds both.
struct YAMLComposer {
  private let events: YAMLEvents
  private let limits: YAMLLimits
  /// `nil` for an anchor whose value is not complete yet.
  private var anchors: [String: Composed?] = [:]
  private var aliasedNodes = 0
  /// The keys that occurred twice; `nil` if such a key is an error.
  private var doubledKeys: [YAMLFirstDocument.DoubledKey]?

  /// A node with what it means for the limits.
  private struct Composed {
    var node: YAMLNode
    /// How many nodes it stands for, itself included.
    var size: Int
    /// Levels of lists and mappings, itself included: 0 for a scalar.
    var height: Int
  }

  init(events: YAMLEvents, limits: YAMLLimits) {
    self.events = events
    self.limits = limits
  }

  /// The only document of the stream; null if there is none.
  mutating func document() throws(YAMLError) -> YAMLNode {
    var root = YAMLNode(.scalar(YAMLNode.Scalar("")), at: TextMark(line: 1, column: 1))
    var hasDocument = false
    while true {
      let (event, mark) = try events.next()
      switch event {
      case .documentStart:
        if hasDocument { throw error(.severalDocuments, at: mark) }
        hasDocument = true
        root = try node(depth: 0).node
      case .streamEnd:
        return root
      default:
        continue
      }
    }
  }

  /// The documents of the stream that are not null. An anchor is known within its own document.
  mutating func documents() throws(YAMLError) -> [YAMLNode] {
    var roots: [YAMLNode] = []
    while true {
      let (event, _) = try events.next()
      switch event {
      case .documentStart:
        anchors = [:]
        let root = try node(depth: 0).node
        if !root.isNull { roots.append(root) }
      case .streamEnd:
        return roots
      default:
        continue
      }
    }
  }

  /// The first document of the stream; null if there is none.
  mutating func firstDocument() throws(YAMLError) -> YAMLFirstDocument {
    doubledKeys = []
    while true {
      let (event, mark) = try events.next()
      switch event {
      case .documentStart:
        let root = try node(depth: 0).node
        return YAMLFirstDocument(root: root, doubledKeys: doubledKeys ?? [])
      case .streamEnd:
        return YAMLFirstDocument(root: YAMLNode(.scalar(YAMLNode.Scalar("")), at: mark), doubledKeys: [])
      default:
        continue
      }
    }
  }

  private mutating func node(depth: Int) throws(YAMLError) -> Composed {
    let (event, mark) = try events.next()
    return try node(of: event, at: mark, depth: depth)
  }

  private mutating func node(of event: YAMLEvents.Event, at mark: TextMark, depth: Int) throws(YAMLError) -> Composed {
    switch event {
    case .scalar(let scalar, let anchor):
      return remember(Composed(node: YAMLNode(.scalar(scalar), at: mark), size: 1, height: 0), as: anchor)
    case .alias(let name):
      return try expand(name, at: mark, depth: depth)
    case .sequenceStart(let anchor):
      try enter(depth: depth, anchor: anchor, at: mark)
      return remember(try sequence(at: mark, depth: depth + 1), as: anchor)
    case .mappingStart(let anchor):
      try enter(depth: depth, anchor: anchor, at: mark)
      return remember(try mapping(at: mark, depth: depth + 1), as: anchor)
    case .streamStart, .streamEnd, .documentStart, .documentEnd, .sequenceEnd, .mappingEnd:
      throw error(.syntax("a value is missing"), at: mark)
    }
  }

  private mutating func sequence(at mark: TextMark, depth: Int) throws(YAMLError) -> Composed {
    var elements: [YAMLNode] = []
    var result = Composed(node: YAMLNode(.sequence([]), at: mark), size: 1, height: 1)
    while true {
      let (event, place) = try events.next()
      if case .sequenceEnd = event { break }
      let element = try node(of: event, at: place, depth: depth)
      elements.append(element.node)
      result.size += element.size
      result.height = max(result.height, element.height + 1)
    }
    result.node.content = .sequence(elements)
    return result
  }

  private mutating func mapping(at mark: TextMark, depth: Int) throws(YAMLError) -> Composed {
    var entries: [YAMLNode.Entry] = []
    var places: [String: TextMark] = [:]
    var merged: [YAMLNode.Entry] = []
    var isDoubled = false
    var result = Composed(node: YAMLNode(.mapping([]), at: mark), size: 1, height: 1)
    while true {
      let (event, place) = try events.next()
      if case .mappingEnd = event { break }
      let keyNode = try node(of: event, at: place, depth: depth).node
      guard case .scalar(let key) = keyNode.content else { throw error(.keyIsNoScalar, at: place) }
      let value = try node(depth: depth)
      result.size += value.size + 1
      result.height = max(result.height, value.height + 1)
      if key.isMerge {
        try merged += mergedEntries(of: value.node)
        continue
      }
      if let first = places.updateValue(place, forKey: key.text) {
        guard doubledKeys != nil else { throw error(.duplicateKey(key.text, first: first), at: place) }
        doubledKeys?.append(.init(key: key.text, first: first, last: place))
        isDoubled = true
      }
      entries.append(YAMLNode.Entry(key: key.text, at: place, value: value.node))
    }
    if isDoubled { entries = Self.last(of: entries) }
    // The mapping's own keys have precedence wherever `<<` stands; of the merged ones the first.
    for entry in merged where places.updateValue(entry.mark, forKey: entry.key) == nil { entries.append(entry) }
    result.node.content = .mapping(entries)
    return result
  }

  /// The last entry of each key.
  private static func last(of entries: [YAMLNode.Entry]) -> [YAMLNode.Entry] {
    var seen: Set<String> = []
    return entries.reversed().filter { seen.insert($0.key).inserted }.reversed()
  }

  private func mergedEntries(of value: YAMLNode) throws(YAMLError) -> [YAMLNode.Entry] {
    switch value.content {
    case .mapping(let entries): return entries
    case .sequence(let elements):
      var merged: [YAMLNode.Entry] = []
      for element in elements {
        guard case .mapping(let entries) = element.content else { throw error(.invalidMerge, at: element.mark) }
        merged += entries
      }
      return merged
    case .scalar: throw error(.invalidMerge, at: value.mark)
    }
  }

  private mutating func expand(_ name: String, at mark: TextMark, depth: Int) throws(YAMLError) -> Composed {
    guard let known = anchors[name] else {
      throw error(.unknownAnchor(name, nearest: nearest(to: name, in: anchors.keys.sorted())), at: mark)
    }
    guard let anchored = known else { throw error(.recursiveAlias(name), at: mark) }
    aliasedNodes += anchored.size
    guard aliasedNodes <= limits.aliasedNodes else {
      throw error(.tooManyAliases(limit: limits.aliasedNodes), at: mark)
    }
    guard depth + anchored.height <= limits.depth else { throw error(.tooDeep(limit: limits.depth), at: mark) }
    return anchored
  }

  /// Begins a list or a mapping on the given level.
  private mutating func enter(depth: Int, anchor: String?, at mark: TextMark) throws(YAMLError) {
    guard depth < limits.depth else { throw error(.tooDeep(limit: limits.depth), at: mark) }
    if let anchor { anchors[anchor] = .some(nil) }
  }

  private mutating func remember(_ composed: Composed, as anchor: String?) -> Composed {
    if let anchor { anchors[anchor] = composed }
    return composed
  }

  private func error(_ reason: YAMLError.Reason, at mark: TextMark) -> YAMLError {
    YAMLError(source: events.source, mark: mark, reason: reason)
  }
}

extension YAMLNode.Scalar {
  /// Whether this key is the merge key (https://yaml.org/type/merge.html): a plain `<<`.
  fileprivate var isMerge: Bool {
    text == "<<" && (tag == "tag:yaml.org,2002:merge" || tag == nil && style == .plain)
  }
}
