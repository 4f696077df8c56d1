import DevrunCore
import Testing

@Suite("Durations as text")
struct DurationTextTests {
  @Test(
    arguments: [
      ("30s", Duration.seconds(30)), ("5m", .seconds(300)), ("1m30s", .seconds(90)), ("1h", .seconds(3600)),
      ("90s", .seconds(90)), ("168h", .seconds(604800)),
    ])
  func `A duration is numbers with units`(text: String, duration: Duration) {
    #expect(DurationText.parse(text) == duration)
  }

  @Test(
    arguments: [
      "", "0s", "30", "s", "-5s", "5 m", "30s1m", "1m1m", "1.5m", "5M", "1d", "169h", "9223372036854775807h",
      "9223372036854775807s1s", "99999999999999999999s",
    ])
  func `Anything else is no duration`(text: String) {
    #expect(DurationText.parse(text) == nil)
  }

  @Test(arguments: ["30s", "5m", "1m30s", "1h1s"])
  func `The text of a duration can be read again`(text: String) throws {
    let duration = try #require(DurationText.parse(text))
    #expect(DurationText.text(duration) == text)
  }
}
