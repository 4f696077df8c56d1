// How a TCP connection is asked for inside the tunnel: a CONNECT request (RFC 9113 section 8.5) whose `:authority`
// names host and port. 200 means that the far end is connected. Any other status means that it is not; the field
// `devrun-failure` then says why in a form for programs:
//
//     errno 111           what connect(2) gave, as Linux numbers it on every architecture that devrun runs on
//     name-not-found      the name does not exist
//     name-unavailable    no name server answered
//     refused             the agent does not serve this; `devrun-reason` says why

import DevrunCore
package import NIOHPACK

/// A host and a port as `:authority` writes them.
package struct Authority: Sendable, Hashable, CustomStringConvertible {
  /// A name or an address, an IPv6 address without brackets.
  package var host: String
  package var port: Int

  package init(host: String, port: Int) {
    self.host = host
    self.port = port
  }

  /// Reads `host:port`, an IPv6 address in brackets.
  package init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    var host = text[..<colon]
    let digits = text[text.index(after: colon)...]
    if host.first == "[", host.last == "]" {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    guard !host.isEmpty, (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ (48...57).contains($0) }),
      let port = Int(digits), (1...65535).contains(port)
    else { return nil }
    self.init(host: String(host), port: port)
  }

  package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// Why a dial came to nothing, as it travels.
package enum DialFailure: Error, Sendable, Hashable {
  case errno(Int32)
  case nameNotFound
  case nameUnavailable
  case refused(String)

  static let failureField = "devrun-failure"
  static let reasonField = "devrun-reason"

  /// The response that tells it.
  package var headers: HPACKHeaders {
    switch self {
    case .errno(let number): [":status": "502", Self.failureField: "errno \(number)"]
    case .nameNotFound: [":status": "502", Self.failureField: "name-not-found"]
    case .nameUnavailable: [":status": "504", Self.failureField: "name-unavailable"]
    case .refused(let reason): [":status": "403", Self.failureField: "refused", Self.reasonField: reason]
    }
  }

  /// Reads it from a response that is no 200.
  package init(headers: HPACKHeaders) {
    let text = headers.first(name: Self.failureField) ?? ""
    if text.hasPrefix("errno "), let number = Int32(text.dropFirst(6)), number > 0 {
      self = .errno(number)
    } else if text == "name-not-found" {
      self = .nameNotFound
    } else if text == "name-unavailable" {
      self = .nameUnavailable
    } else {
      let status = headers.first(name: ":status") ?? "no status"
      self = .refused(headers.first(name: Self.reasonField) ?? "the response was \(status)")
    }
  }
}

/// What a stream that the peer opened asks for.
package enum StreamRequest: Sendable, Hashable {
  /// A TCP connection.
  case connect(Authority)
  /// A document of the agent: the path without its query, and the query's parameters.
  case get(path: String, query: [String: [UInt8]])
  /// Neither.
  case unknown(String)

  package init(headers: HPACKHeaders) {
    let method = headers.first(name: ":method") ?? ""
    switch method {
    case "CONNECT":
      let text = headers.first(name: ":authority") ?? ""
      self = Authority(text).map { .connect($0) } ?? .unknown("CONNECT to '\(text)'")
    case "GET":
      let text = headers.first(name: ":path") ?? ""
      let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
      var query: [String: [UInt8]] = [:]
      for field in parts.dropFirst().joined().split(separator: "&") {
        let pair = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard pair.count == 2, let value = PercentEncoding.decode(pair[1].utf8) else {
          self = .unknown("GET with the query '\(field)'")
          return
        }
        query[String(pair[0])] = value
      }
      self = .get(path: String(parts[0]), query: query)
    default:
      self = .unknown("method '\(method)'")
    }
  }

  /// The head of this request.
  package var headers: HPACKHeaders {
    switch self {
    case .connect(let authority): [":method": "CONNECT", ":authority": authority.description]
    case .get(let path, let query):
      [
        ":method": "GET", ":scheme": "http", ":authority": "devrun-agent",
        ":path": query.isEmpty
          ? path
          : path + "?"
            + query.sorted { $0.key < $1.key }.map { "\($0.key)=\(PercentEncoding.encode($0.value, except: "/"))" }
            .joined(separator: "&"),
      ]
    case .unknown(let text): [":method": text]
    }
  }
}
