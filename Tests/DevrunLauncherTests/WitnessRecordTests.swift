import Glibc
import Testing

@testable import DevrunLauncher

@Suite("Record of the witness")
struct WitnessRecordTests {
  private let start = ContinuousClock.now
  private var due: ContinuousClock.Instant { start + WitnessRecord.patience }

  /// What the record answers about signals, in this order.
  private func answers(_ record: WitnessRecord, about signals: [Int32]) -> [Bool] {
    var record = record
    return signals.map { record.take($0) }
  }

  private func record(of signals: Int32...) -> WitnessRecord {
    var record = WitnessRecord()
    for signal in signals { record.receive(signal, at: start) }
    return record
  }

  @Test func `A signal counts once`() {
    #expect(answers(record(of: SIGTERM), about: [SIGINT, SIGTERM, SIGTERM]) == [false, true, false])
  }

  @Test func `A SIGCONT takes stop signals away`() {
    #expect(answers(record(of: SIGTSTP, SIGTERM, SIGCONT), about: [SIGTSTP, SIGTERM]) == [false, true])
  }

  @Test func `A signal is forgotten after a while unless the front has yet to look at it`() {
    var record = record(of: SIGTERM, SIGINT)
    #expect(record.due == due)
    record.forget(at: start) { _ in false }
    #expect(answers(record, about: [SIGTERM, SIGINT]) == [true, true])
    record.forget(at: due) { $0 == SIGINT }
    #expect(answers(record, about: [SIGTERM, SIGINT]) == [false, true])
    #expect(record.due == due + WitnessRecord.patience)
    record.forget(at: due + WitnessRecord.patience) { _ in false }
    #expect(answers(record, about: [SIGINT]) == [false] && record.due == nil)
  }
}
