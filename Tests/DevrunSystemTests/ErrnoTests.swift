import DevrunCore
import DevrunSystem
import Glibc
import Testing

@Suite("Error of the kernel")
struct ErrnoTests {
  private struct Wrapped: Error, Equatable { var cause: Errno }

  @Test func `An error is described in the system's words`() {
    #expect(Errno.noEntry.description == "No such file or directory")
    #expect(Errno(rawValue: 4711).description.contains("4711"))
  }

  @Test func `An interrupted call is repeated, and another error is thrown`() throws {
    var results: [(Int32, Int32)] = [(-1, EINTR), (-1, EINTR), (7, 0)]
    let next: () -> Int32 = {
      let (result, error) = results.removeFirst()
      errno = error
      return result
    }
    #expect(try system(next) == 7)
    results = [(-1, EINTR), (-1, EACCES), (7, 0)]
    #expect(throws: Errno.accessDenied) { try system(next) }
    #expect(results.count == 1)
  }

  @Test func `A shim's negative result is the error, and EINTR repeats the call`() throws {
    var results = [-EINTR, 3]
    #expect(try shim { results.removeFirst() } == 3)
    results = [-EINTR, -EPROTO, 3]
    #expect(throws: Errno.protocolError) { try shim { results.removeFirst() } }
  }

  @Test func `An error is turned into another one`() throws {
    #expect(throws: Wrapped(cause: .busy)) {
      try mappingErrno(to: Wrapped.init) { () throws(Errno) in throw .busy }
    }
    #expect(try mappingErrno(to: Wrapped.init) { () throws(Errno) in 1 } == 1)
  }

  @Test func `Strings of C end at their first NUL and are handed on with one`() {
    let string = RawString([0x61, 0xff, 0x62])
    #expect(string.withCString { strlen($0) } == 3)
    #expect(string.withCString { RawString(cString: $0) } == string)
    #expect(RawString([0x61, 0, 0x62]).withCString { RawString(cString: $0) } == "a")
    let array = CStringArray([string, ""])
    #expect(array.pointers[0].map { RawString(cString: $0) } == string)
    #expect(array.pointers[1].map { RawString(cString: $0) } == "")
    #expect(array.pointers[2] == nil)
  }
}
