import TestSupport
import Testing

@Suite("Test users")
struct TestUserTests {
  @Test func `A command of the own user is run as it is, and another user's by setpriv without other groups`() {
    #expect(TestUser.own.command(["id"]) == ["id"])
    #expect(
      TestUser(id: 1, group: 2).command(["id"])
        == ["setpriv", "--reuid=1", "--regid=2", "--clear-groups", "--inh-caps=-all", "--", "id"])
    #expect(TestUser(id: 1, group: 2, otherGroups: [3, 4]).command(["id"]).contains("--groups=3,4"))
  }
}
