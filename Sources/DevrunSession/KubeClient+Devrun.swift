internal import DevrunCore
internal import DevrunKube

/// devrun's version, as `--version` and the API server's audit log show it.
public let devrunVersion = "0.1.0"

extension KubeClient.Options {
  /// How devrun's sessions use the API.
  ///
  /// - Parameters:
  ///   - reporter: masks renewed tokens, and prints warnings.
  ///   - askingGroup: the process group in which a credential plugin can ask the user; `nil` for this process's.
  static func devrun(
    reporter: RunReporter, askingGroup: (@Sendable () -> Int32?)? = nil
  ) -> KubeClient.Options {
    var options = KubeClient.Options()
    options.userAgent = "devrun/\(devrunVersion)"
    options.keepSecret = { reporter.mask($0) }
    options.warn = { reporter.report(.warning($0)) }
    if let askingGroup { options.askingGroup = askingGroup }
    return options
  }
}
