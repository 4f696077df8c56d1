import Foundation
import TestSupport
import Testing

@Suite("Temporary folders")
struct TemporaryFolderTests {
  @Test func `A folder has the files that are written, with their modes, and is removed with them`() throws {
    let path = try TemporaryFolder.with { folder in
      try folder.write("deep/file", "text\n", mode: 0o640)
      try folder.makeFolder("other", mode: 0o711)
      #expect(try folder.text(of: "deep/file") == "text\n")
      #expect(try folder.mode(of: "deep/file") == 0o640 && folder.mode(of: "other") == 0o711)
      #expect(try folder.names() == ["deep", "other"] && folder.names(in: "deep") == ["file"])
      return folder.path
    }
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test func `A folder is removed with its last reference`() throws {
    var folder: TemporaryFolder? = try TemporaryFolder()
    let path = try #require(folder?.path)
    #expect(FileManager.default.fileExists(atPath: path))
    folder = nil
    #expect(!FileManager.default.fileExists(atPath: path))
  }
}
