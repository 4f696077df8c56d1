internal import Glibc

/// A user of the machine's database (getpwuid(3)).
struct UserEntry: Sendable, Hashable {
  /// The user's name.
  let name: String
  /// The number of the user's own group.
  let group: gid_t

  /// The user of a number; `nil` if the database has none.
  init?(_ id: uid_t) {
    var entry = passwd()
    let found: (String, gid_t)? = withDatabaseBuffer { buffer, count in
      var result: UnsafeMutablePointer<passwd>?
      let error = getpwuid_r(id, &entry, buffer, count, &result)
      return (error, result == nil ? nil : (String(cString: entry.pw_name), entry.pw_gid))
    }
    guard let found else { return nil }
    (name, group) = found
  }
}

/// A group of the machine's database (getgrgid(3)).
struct GroupEntry: Sendable, Hashable {
  /// The group's name.
  let name: String
  /// The names of those who are in the group beside the users whose own group it is.
  let members: [String]

  /// The group of a number; `nil` if the database has none.
  init?(_ id: gid_t) {
    var entry = group()
    let found: (String, [String])? = withDatabaseBuffer { buffer, count in
      var result: UnsafeMutablePointer<group>?
      let error = getgrgid_r(id, &entry, buffer, count, &result)
      guard result != nil else { return (error, nil) }
      var members: [String] = []
      var next = entry.gr_mem
      while let member = next?.pointee {
        members.append(String(cString: member))
        next = next?.successor()
      }
      return (error, (String(cString: entry.gr_name), members))
    }
    guard let found else { return nil }
    (name, members) = found
  }
}

/// Asks a database with a buffer for the strings of an entry, and again with a larger one while it is too small.
private func withDatabaseBuffer<Entry>(
  _ ask: (UnsafeMutablePointer<CChar>, Int) -> (error: Int32, entry: Entry?)
) -> Entry? {
  var size = 4096
  while true {
    let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: size)
    defer { buffer.deallocate() }
    let (error, entry) = ask(buffer, size)
    guard error == ERANGE, size < 16 << 20 else { return entry }
    size *= 4
  }
}
