// Questions and answers of the domain name system (RFC 1035), as far as a resolver for a cluster needs them.

internal import DevrunCore

/// What a DNS client asks.
struct DNSQuestion: Sendable, Hashable {
  /// The number by which the client finds the answer.
  var id: UInt16
  /// Whether the client wants the resolver to ask others (RD).
  var wantsRecursion: Bool
  /// The name as the client has written it, without the last dot.
  var name: String
  /// The type of record that is asked for.
  var type: UInt16
  /// The class; 1 is the internet.
  var recordClass: UInt16
  /// How large an answer over UDP may be.
  var limit: Int

  /// Reads a message. `nil` if it is no question, or asks more than one.
  init?(_ bytes: [UInt8]) {
    func number(at index: Int) -> UInt16? {
      guard index + 1 < bytes.count else { return nil }
      return UInt16(bytes[index]) << 8 | UInt16(bytes[index + 1])
    }
    guard let id = number(at: 0), let flags = number(at: 2), let count = number(at: 4), let others = number(at: 10),
      flags & 0x8000 == 0, flags & 0x7800 == 0, count == 1
    else { return nil }
    var labels: [String] = []
    var index = 12
    while true {
      guard index < bytes.count else { return nil }
      let length = Int(bytes[index])
      index += 1
      if length == 0 { break }
      // A question comes first in its message, so that there is nothing that a pointer could lead to.
      guard length < 64, index + length <= bytes.count, labels.count < 128 else { return nil }
      labels.append(String(decoding: bytes[index..<index + length], as: UTF8.self))
      index += length
    }
    guard let type = number(at: index), let recordClass = number(at: index + 2) else { return nil }
    self.id = id
    wantsRecursion = flags & 0x0100 != 0
    name = labels.joined(separator: ".")
    self.type = type
    self.recordClass = recordClass
    // The one other record of a question is the client's EDNS record (RFC 6891), whose class is the size.
    limit = 512
    let end = index + 4
    if others == 1, end < bytes.count, bytes[end] == 0, number(at: end + 1) == 41, let size = number(at: end + 3) {
      limit = max(512, min(Int(size), 4096))
    }
  }
}

/// A record of an answer.
struct DNSRecord: Sendable, Hashable {
  /// What a record holds.
  enum Data: Sendable, Hashable {
    case address(IPAddress)
    case alias(String)
    case service(priority: UInt16, weight: UInt16, port: UInt16, host: String)
    /// Who answers for a zone: with it a client remembers that there is no such record (RFC 2308).
    case authority(zone: String)
  }

  /// The name that the record is of.
  var name: String
  /// What it holds.
  var data: Data
  /// For how many seconds it may be remembered.
  var lifetime: UInt32 = 5

  fileprivate var type: UInt16 {
    switch data {
    case .address(let address): address.isIPv4 ? DNSAnswer.addressType : DNSAnswer.longAddressType
    case .alias: DNSAnswer.aliasType
    case .service: DNSAnswer.serviceType
    case .authority: 6
    }
  }
}

/// What a DNS client gets.
struct DNSAnswer: Sendable, Hashable {
  /// The types of records: A, AAAA, CNAME, SRV.
  static let addressType: UInt16 = 1
  static let longAddressType: UInt16 = 28
  static let aliasType: UInt16 = 5
  static let serviceType: UInt16 = 33
  static let anyType: UInt16 = 255

  /// How a question went (RCODE).
  enum Code: UInt16, Sendable {
    case success = 0
    case serverFailure = 2
    case noSuchName = 3
    case refused = 5
  }

  /// How the question went.
  var code = Code.success
  /// The records.
  var records: [DNSRecord] = []
  /// Who answers for the zone, where there is no record.
  var authority: [DNSRecord] = []
  /// Records that the client will ask for next.
  var additional: [DNSRecord] = []
  /// Whether the answer is from who is responsible for the name (AA).
  var isAuthoritative = true

  /// The message for a question.
  ///
  /// - Parameter limit: how large it may be; a larger one is cut to its head, and the client asks again over TCP.
  func bytes(for question: DNSQuestion, limit: Int) -> [UInt8] {
    let full = message(for: question, isCut: false)
    return full.count <= limit ? full : message(for: question, isCut: true)
  }

  private func message(for question: DNSQuestion, isCut: Bool) -> [UInt8] {
    var bytes: [UInt8] = []
    func add(_ number: UInt16) { bytes += [UInt8(number >> 8), UInt8(number & 0xff)] }
    func add(name: String) {
      for label in name.split(separator: ".") {
        let label = label.utf8.prefix(63)
        bytes += [UInt8(label.count)] + label
      }
      bytes.append(0)
    }
    func add(_ record: DNSRecord) {
      // A pointer to the question's name, which stands behind the head.
      if record.name == question.name { add(0xc00c) } else { add(name: record.name) }
      add(record.type)
      add(1)
      add(UInt16(record.lifetime >> 16))
      add(UInt16(record.lifetime & 0xffff))
      let size = bytes.count
      add(0)
      switch record.data {
      case .address(let address): bytes += address.bytes
      case .alias(let name): add(name: name)
      case .service(let priority, let weight, let port, let host):
        for number in [priority, weight, port] { add(number) }
        add(name: host)
      case .authority(let zone):
        add(name: "ns.dns.\(zone)")
        add(name: "hostmaster.\(zone)")
        // Serial, refresh, retry, expire, and how long an absence may be remembered.
        for number: UInt32 in [1, 7200, 1800, 86400, 5] {
          add(UInt16(number >> 16))
          add(UInt16(number & 0xffff))
        }
      }
      let count = bytes.count - size - 2
      bytes[size] = UInt8(count >> 8 & 0xff)
      bytes[size + 1] = UInt8(count & 0xff)
    }
    let sections = isCut ? [[], [], []] : [records, authority, additional]
    var flags: UInt16 = 0x8080 | code.rawValue
    if isAuthoritative { flags |= 0x0400 }
    if isCut { flags |= 0x0200 }
    if question.wantsRecursion { flags |= 0x0100 }
    for number in [question.id, flags, 1] + sections.map({ UInt16($0.count) }) { add(number) }
    add(name: question.name)
    add(question.type)
    add(question.recordClass)
    for record in sections.joined() { add(record) }
    return bytes
  }
}
