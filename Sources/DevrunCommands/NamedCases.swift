internal import ArgumentParser

/// Enumerations whose cases the command line names.
extension CaseIterable where Self: RawRepresentable, RawValue == String {
  /// The names of all cases.
  static var names: [String] { allCases.map(\.rawValue) }

  /// The case of the given name.
  ///
  /// - Throws: `ValidationError`
  static func named(_ name: String) throws -> Self {
    guard let value = Self(rawValue: name) else {
      throw ValidationError("choose one of \(names.joined(separator: ", "))")
    }
    return value
  }
}
