/// Lines laid out so that none of them lies across two pages of a file.
///
/// The kernel carries a write out page by page, and updates the file's size after each: a reader that comes in between
/// sees what stands in the first page. So a line that would not fit into its page begins in the next, and empty lines,
/// which say nothing in hosts(5), fill the gap.
enum PagedLines {
  /// The least size of a page (getconf(1), PAGESIZE); larger ones are multiples of it.
  static let pageSize = 4096

  /// The lines as they are to be written at the offset, in bytes. A line that is longer than a page stays as it is.
  static func text(_ lines: String, at offset: Int) -> String {
    var result = ""
    var position = offset
    for line in lines.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
      let size = line.utf8.count + 1
      let room = pageSize - position % pageSize
      if size > room, size <= pageSize {
        result += String(repeating: "\n", count: room)
        position += room
      }
      result += line + "\n"
      position += size
    }
    return result
  }
}
