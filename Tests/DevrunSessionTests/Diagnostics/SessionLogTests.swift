import DevrunCore
import DevrunKube
import DevrunSystem
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import DevrunSession

@Suite("Log of a session")
struct SessionLogTests {
  /// Remembers what it is told.
  private final class Listener: Reporter {
    let events = Mutex<[String]>([])

    func report(_ event: ReportEvent) { events.withLock { $0.append("\(event)") } }
  }

  private let scratch: TemporaryFolder
  private let listener = Listener()

  init() throws { scratch = try TemporaryFolder() }

  private func open(_ log: RunReporter) {
    log.openLog(of: "bcdf2345", environment: ["TMPDIR": RawString(scratch.path)])
  }

  /// The lines without their times, which are checked to be times.
  private func lines(_ log: RunReporter) throws -> [String] {
    let text = try String(contentsOfFile: try #require(log.logPath), encoding: .utf8)
    return try text.split(separator: "\n").map { line in
      guard !line.hasPrefix("    ") else { return String(line) }
      let time = try #require(line.prefixMatch(of: /[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z\x20/))
      return String(line[time.range.upperBound...])
    }
  }

  @Test func `A session's log has every event with its time and level, even those from before its opening`() throws {
    let log = RunReporter(terminal: listener)
    log.report(.warning(ErrorMessage("early", why: "because")))
    #expect(log.logPath == nil)
    open(log)
    log.report(.step("stepping"))
    log.report(.fact("a fact"))
    log.report(.detail("a detail"))
    log.report(.agentLine(pod: "web-1", "devrun-agent: ready"))
    log.report(.record("for the log alone"))
    log.report(failure: SessionError.noTarget(namespace: "shop", candidates: []))
    let path = try #require(log.logPath)
    #expect(path.hasPrefix("\(scratch.path)/devrun/") && path.hasSuffix("Z-bcdf2345.log"))
    #expect(
      try lines(log) == [
        "warn  early", "    because", "debug the log of this session: \(path)", "step  stepping", "info  a fact",
        "debug a detail", "agent pod/web-1: devrun-agent: ready", "info  for the log alone",
        "error no target: say what to redirect with --target KIND/NAME, or ask for a pod of its own with --new-pod",
        "    namespace shop has none",
      ])
    #expect(listener.events.withLock(\.count) == 8)
  }

  @Test func `A session's log file is private, has a log's name and takes no events after it is closed`() throws {
    let log = RunReporter(terminal: listener)
    open(log)
    let name = try #require(try scratch.names(in: "devrun").first)
    #expect(LogFolder.isLog(name))
    #expect(try scratch.mode(of: "devrun/\(name)") == 0o600)
    log.closeLog()
    log.report(.fact("late"))
    #expect(try lines(log).count == 1)
    #expect(listener.events.withLock(\.count) == 2, "what comes after its end is told on")
  }

  @Test func `A session's log contains no known secrets and no control characters`() throws {
    let log = RunReporter(terminal: listener)
    open(log)
    log.mask(["hunter2hunter2", "first line\nsecond line"])
    log.report(.agentLine(pod: "a", "with hunter2hunter2 in it"))
    log.report(.detail("Authorization: Bearer abcdefghijklmnop"))
    log.report(.detail("only the second line"))
    log.report(.agentLine(pod: "a", "\u{1b}[31mred\u{7}"))
    #expect(
      try lines(log).dropFirst() == [
        "agent pod/a: with *** in it", "debug Authorization: Bearer ***", "debug only the ***",
        "agent pod/a: \\u{1b}[31mred\\u{7}",
      ])
    #expect(log.masked("hunter2hunter2") == "***")
    #expect(!listener.events.withLock { $0 }.contains { $0.contains("hunter2") }, "the terminal gets no secret either")
  }

  @Test func `A session's log ends at its limit with a line that reports this`() throws {
    let log = RunReporter(terminal: listener, logLimit: 1000)
    open(log)
    for _ in 1...20 { log.report(.record(String(repeating: "x", count: 100))) }
    let lines = try lines(log)
    #expect(lines.last == "warn  the log is full")
    #expect((3..<12).contains(lines.count))
  }

  @Test func `A log that cannot be written is reported, and the session goes on without it`() throws {
    let log = RunReporter(terminal: listener)
    log.openLog(of: "a", environment: ["TMPDIR": RawString("\(scratch.path)/none")])
    #expect(log.logPath == nil)
    log.report(.fact("a fact"))
    log.closeLog()
    let told = listener.events.withLock { $0 }
    #expect(told.count == 2 && told[0].contains("this session has no log: \(scratch.path)/none/devrun"), "\(told)")
  }
}

@Suite("Mask of secrets")
struct SecretMaskTests {
  @Test(
    arguments: [
      ("Authorization: Bearer abc.def-ghi_jkl~m+n/o==, next", "Authorization: Bearer ***, next"),
      ("authorization: basic dXNlcjpwYXNzd29yZA==", "authorization: basic ***"),
      ("got eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrOHMifQ.c2ln here", "got *** here"),
      ("http://user:p4ss@proxy:8080/ refused", "http://***@proxy:8080/ refused"),
      ("https://T0KEN@host:6443 refused", "https://***@host:6443 refused"),
      ("https://host:6443?mail=a@b refused", "https://host:6443?mail=a@b refused"),
      ("redis://:pa?ss9@h:6379/0", "redis://***@h:6379/0"), ("postgres://u:pa#s/s@w@db/x", "postgres://***@db/x"),
      ("https://host:6443/users/a@b refused", "https://host:6443/users/a@b refused"),
      ("app:hunter44@tcp(db:3306)/x", "app:***@tcp(db:3306)/x"),
      ("AccountName=a;AccountKey=abcdefg==;X=1", "AccountName=a;AccountKey=***;X=1"),
      ("Server=db;Uid=sa;Pwd=hunter2", "Server=db;Uid=sa;Pwd=***"), ("-Ddb.pw=hunter22 -Xmx1m", "-Ddb.pw=*** -Xmx1m"),
      ("PWD=/home/ann", "PWD=/home/ann"),
      ("PASSWORD=hunter2 HOST=db", "PASSWORD=*** HOST=db"),
      ("DB_PASSWORD_1='hunter2'", "DB_PASSWORD_1='***'"),
      (#"{"token":"abc","name":"x"}"#, #"{"token":"***","name":"x"}"#),
      ("api-key: abcdef", "api-key: ***"), ("AWS_SECRET_ACCESS_KEY=abc/def", "AWS_SECRET_ACCESS_KEY=***"),
      (
        "a\n-----BEGIN RSA PRIVATE KEY-----\nabc\ndef\n-----END RSA PRIVATE KEY-----\nb",
        "a\n-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----\nb"
      ),
      ("-----BEGIN PRIVATE KEY-----\nabc", "-----BEGIN PRIVATE KEY-----***"),
      ("secrets \"default-token-x2b\" is forbidden: no", "secrets \"default-token-x2b\" is forbidden: no"),
      ("volume default-token-x2b: no such file", "volume default-token-x2b: no such file"),
      ("https://127.0.0.1:6443/api refused", "https://127.0.0.1:6443/api refused"),
      ("devrun-agent: ready for devrun", "devrun-agent: ready for devrun"),
    ])
  func `Text that looks like a secret is masked, and other text is unchanged`(text: String, masked: String) {
    #expect(SecretMask().apply(text) == masked)
  }

  @Test func `Known secrets are masked, longer ones first, except those that are too short`() {
    var mask = SecretMask()
    mask.add(["abcdef", "abcdefgh", "true"])
    #expect(mask.apply("abcdefgh, abcdef and true") == "***, *** and true")
  }

  @Test func `A container's secret values are found by the sources and the names of its variables`() {
    let pod: KubeObject = [
      "spec": [
        "containers": [
          ["name": "other", "env": [["name": "PLAIN", "valueFrom": ["secretKeyRef": ["name": "s", "key": "k"]]]]],
          [
            "name": "web",
            "env": [
              ["name": "PLAIN", "value": "plain value"],
              ["name": "KEYED", "valueFrom": ["secretKeyRef": ["name": "s", "key": "k"]]],
              ["name": "APP_TOKEN", "value": "token value"], ["name": "S_PLAIN", "value": "explained value"],
            ],
            "envFrom": [["prefix": "S_", "secretRef": ["name": "s"]], ["configMapRef": ["name": "c"]]],
          ],
        ]
      ]
    ]
    let environment: [RawString] = [
      "PLAIN=plain value", "KEYED=keyed value", "APP_TOKEN=token value", "S_PLAIN=explained value", "S_OTHER=of secret",
      "MAPPED=of map", "S_PORT=tcp://10.0.0.1:80",
    ]
    #expect(
      SecretMask.secrets(
        in: EnvironmentVariables(entries: environment, origin: .container), of: pod, container: "web")
        == ["keyed value", "token value", "of secret"])
  }

  @Test(
    arguments: [
      ("DATABASE_URL", "postgres://u:hunter2@db/x", true), ("DSN", "user=u pass=hunter2-long;", true),
      ("CACHE", "redis://:other@cache", true), ("COPY", "hunter2-long", true), ("SHORT", "abc", true),
      ("OF_OPTION", "--key=of-option-1", true), ("PASSWORD", "x", true),
      ("CONNECTION", "Server=db;Password=p;Database=x", true), ("EMPTY", "", false), ("ABCDE", "abcde", false),
      ("URL", "https://db:5432/x?y=z", false), ("HOST", "db.shop.svc", false),
      ("API_PORT_80_TCP", "tcp://10.0.0.1:80", false),
    ])
  func `A variable is masked if its value is, holds or looks like a secret`(name: String, value: String, isMasked: Bool)
  {
    let environment = EnvironmentVariables([
      .init(name: RawString(name), value: RawString(value), origin: .container),
      .init(name: "THE_TOKEN", value: "of-option-1", origin: .option),
    ])
    let names = SecretMask.names(
      ofSecretsIn: environment, known: ["hunter2-long\n", "hunter2-long", "abc", "", "10.0.0.1"])
    #expect(names.subtracting(["THE_TOKEN"]) == (isMasked ? [RawString(name)] : []))
  }
}
