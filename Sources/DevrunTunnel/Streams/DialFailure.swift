// How the reason travels for which a far end is not connected. Beside a status other than 200, the field
// `devrun-failure` says why in a form for programs:
//
//     errno 111           what connect(2) gave, as Linux numbers it on every architecture that devrun runs on
//     name-not-found      the name does not exist
//     name-unavailable    no name server answered
//     refused             the agent does not serve this; `devrun-reason` says why

public import DevrunSystem
package import NIOHPACK

/// Why a dial came to nothing at the far end of the tunnel.
public enum DialFailure: Error, Sendable, Hashable {
  /// connect(2) failed there.
  case connect(Errno)
  /// The name does not exist.
  case nameNotFound
  /// The name servers do not answer.
  case nameUnavailable
  /// The far end does not serve this; its words.
  case refused(String)
}

extension DialFailure {
  static let failureField = "devrun-failure"
  static let reasonField = "devrun-reason"

  /// The response that reports it.
  package var headers: HPACKHeaders {
    switch self {
    case .connect(let error): [":status": "502", Self.failureField: "errno \(error.rawValue)"]
    case .nameNotFound: [":status": "502", Self.failureField: "name-not-found"]
    case .nameUnavailable: [":status": "504", Self.failureField: "name-unavailable"]
    case .refused(let reason): [":status": "403", Self.failureField: "refused", Self.reasonField: reason]
    }
  }

  /// Reads it from a response that is no 200.
  package init(headers: HPACKHeaders) {
    let text = headers.first(name: Self.failureField) ?? ""
    if text.hasPrefix("errno "), let number = Int32(text.dropFirst(6)), number > 0 {
      self = .connect(Errno(rawValue: number))
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
