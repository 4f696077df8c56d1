// `$(NAME)` in commands, arguments and variables
// (https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/).

extension String {
  /// The text with each `$(NAME)` replaced by a variable's value. A name that is unknown stays as it is, and `$$` is one
  /// `$` that begins nothing.
  func expanded(with value: (String) -> String?) -> String {
    var result = ""
    var rest = self[...]
    while let dollar = rest.firstIndex(of: "$") {
      result += rest[..<dollar]
      rest = rest[rest.index(after: dollar)...]
      if rest.first == "$" {
        result += "$"
        rest = rest.dropFirst()
      } else if rest.first == "(", let end = rest.firstIndex(of: ")") {
        let name = String(rest[rest.index(after: rest.startIndex)..<end])
        result += value(name) ?? "$(\(name))"
        rest = rest[rest.index(after: end)...]
      } else {
        result += "$"
      }
    }
    return result + rest
  }
}
