internal import DevrunCore

/// Bytes as strings of JSON (RFC 8259), those that are no text as PEP 383 has it.
enum JSONQuoting {
  static func quoted(_ value: [UInt8]) -> [UInt8] {
    if let text = String(validating: value, as: UTF8.self) { return JSONValue.string(text).text }
    var text = [UInt8(ascii: "\"")]
    var rest = value[...]
    while let byte = rest.first {
      // A character of UTF-8 has four bytes at most.
      let character = (1...4).lazy.compactMap { count -> String? in
        rest.count < count ? nil : String(validating: rest.prefix(count), as: UTF8.self)
      }.first
      if let character {
        text += JSONValue.string(character).text.dropFirst().dropLast()
        rest = rest.dropFirst(character.utf8.count)
      } else {
        text += "\\udc".utf8
        text += [byte >> 4, byte & 15].map { Array("0123456789abcdef".utf8)[Int($0)] }
        rest = rest.dropFirst()
      }
    }
    return text + [UInt8(ascii: "\"")]
  }
}
