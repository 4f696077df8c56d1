internal import FoundationEssentials
internal import NIOCore

extension APIResponder {
  /// The log of a container, as plain text.
  func log(_ request: ResourceRequest) throws(APIFailure) -> APIAnswer {
    let query = request.request
    _ = try find(request)
    var options = LogOptions()
    options.container = query.value("container")
    options.follow = query.isSet("follow")
    options.previous = query.isSet("previous")
    options.tailLines = try query.number("tailLines")
    options.limitBytes = try query.number("limitBytes")
    let start = try start(query)
    // The time of each line says whether it is wanted.
    options.timestamps = query.isSet("timestamps") || start != nil
    let filter = start.map { LogFilter(start: $0, hasTimestamps: query.isSet("timestamps")) }
    let parts = try node.log(of: PodName(namespace: request.namespace ?? "", name: request.name), options)
    return .stream(type: "text/plain") { write in
      var filter = filter
      for await part in parts {
        let wanted = filter?.receive(part) ?? part
        if wanted.readableBytes > 0 { try await write(wanted) }
      }
      if let rest = filter?.finish(), rest.readableBytes > 0 { try await write(rest) }
    }
  }

  /// The time from which on lines are wanted: `sinceTime` or `sinceSeconds`.
  private func start(_ query: APIRequest) throws(APIFailure) -> Date? {
    if let seconds = try query.number("sinceSeconds") { return Date().addingTimeInterval(-Double(seconds)) }
    guard let text = query.value("sinceTime") else { return nil }
    guard let time = HumanDuration.parse(text) else {
      throw .badRequest("parsing time \"\(text)\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"\(text)\"")
    }
    return time
  }
}

/// Drops the lines of a log that are older than a time, in whole seconds: a line of that very second stays.
struct LogFilter: Sendable {
  /// The time of the first line that is wanted.
  var start: Date
  /// Whether the times stay in front of the lines.
  var hasTimestamps: Bool
  /// The beginning of a line whose end has not come.
  private var pending = ByteBuffer()
  /// The order of lines is that of their times, so that all behind the first one that is wanted are wanted.
  private var hasStarted = false

  init(start: Date, hasTimestamps: Bool) {
    self.start = Date(timeIntervalSince1970: start.timeIntervalSince1970.rounded(.down))
    self.hasTimestamps = hasTimestamps
  }

  /// Takes a part of the log.
  ///
  /// - Returns: what is wanted of the lines that are whole.
  mutating func receive(_ part: ByteBuffer) -> ByteBuffer {
    pending.writeImmutableBuffer(part)
    var wanted = ByteBuffer()
    while let end = pending.readableBytesView.firstIndex(of: UInt8(ascii: "\n")),
      let line = pending.readSlice(length: end - pending.readerIndex + 1)
    {
      add(line, to: &wanted)
    }
    pending.discardReadBytes()
    return wanted
  }

  /// The rest, at the log's end.
  mutating func finish() -> ByteBuffer {
    var wanted = ByteBuffer()
    if pending.readableBytes > 0 { add(pending, to: &wanted) }
    pending.clear()
    return wanted
  }

  private mutating func add(_ line: ByteBuffer, to wanted: inout ByteBuffer) {
    let view = line.readableBytesView
    let space = view.firstIndex(of: UInt8(ascii: " ")) ?? view.endIndex
    if !hasStarted {
      let time = HumanDuration.parse(String(decoding: view[..<space], as: UTF8.self))
      hasStarted = time.map { $0 >= start } ?? false
    }
    guard hasStarted else { return }
    wanted.writeBytes(hasTimestamps ? view : view[min(space + 1, view.endIndex)...])
  }
}
