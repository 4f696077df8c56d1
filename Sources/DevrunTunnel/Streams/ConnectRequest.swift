// How a TCP connection is asked for inside the tunnel: a CONNECT request (RFC 9113 section 8.5) whose `:authority`
// names host and port. 200 means that the far end is connected. Any other status means that it is not: see
// `DialFailure`.

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
