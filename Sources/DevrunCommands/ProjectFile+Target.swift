internal import DevrunConfig
internal import DevrunWorkload

extension ProjectFile {
  /// What the file names as the target.
  ///
  /// - Throws: `YAMLError`
  var targetReference: TargetReference? {
    get throws { try target?.parsed(TargetReference.init(parsing:)) }
  }
}
