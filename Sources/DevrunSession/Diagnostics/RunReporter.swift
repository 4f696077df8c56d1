public import DevrunCore
public import DevrunSystem
internal import Synchronization

/// The one voice of a run: the terminal, its line of progress and the log file get every event from here, without
/// secrets.
public final class RunReporter: Reporter {
  private let terminal: any Reporter
  private let log: SessionLog
  private let mask = Mutex(SecretMask())

  /// A voice whose log file is not open yet.
  ///
  /// - Parameters:
  ///   - terminal: prints events for the user.
  ///   - logLimit: how many bytes the log may hold: a container that writes without end must not fill the disk.
  public init(terminal: any Reporter, logLimit: Int = 16 << 20) {
    self.terminal = terminal
    self.log = SessionLog(limit: logLimit)
  }

  /// The log's file; `nil` where there is none.
  public var logPath: String? { log.path }

  /// Takes an event. Masks secrets in it, and hands it to the log file and to the terminal.
  public func report(_ event: ReportEvent) {
    let event = event.mapTexts(masked)
    log.report(event)
    terminal.report(event)
  }

  /// Opens the session's log file and reports its path. Where that fails there is no log, which is reported; the session
  /// goes on.
  ///
  /// - Parameters:
  ///   - session: the session's name.
  ///   - environment: this process's, for `TMPDIR`.
  public func openLog(of session: String, environment: EnvironmentVariables) {
    for event in log.open(session: session, environment: environment) { report(event) }
  }

  /// Ends the log file. What is reported from now on only the terminal gets.
  public func closeLog() { log.close() }

  /// From now on these texts are masked.
  func mask(_ secrets: [String]) { mask.withLock { $0.add(secrets) } }

  /// A text without what looks like a secret: for what is printed before there is a session.
  public static func maskingPatterns(_ text: String) -> String { SecretMask().apply(text) }

  /// A text without secrets.
  func masked(_ text: String) -> String { mask.withLock { $0 }.apply(text) }
}
