import DevrunCore
import Foundation
import TestSupport
import Testing

extension Scenarios {
  /// Volumes at paths where this machine has something of the user's.
  @Suite("Volumes")
  struct Volumes {
    @Test func `A volume in a folder of the user appears only if a file names it, and what is written beside lasts`()
      async throws
    {
      try await Stage.play(changing: true) { stage in
        let (home, work) = (stage.folder.path("home"), stage.folder.path("work"))
        let name = stage.namespace
        try await Colleague(stage: stage).mountSecret(at: ["/tmp/\(name)/keys", "/etc/\(name)/keys"])
        try await stage.settled()
        try stage.folder.write("work/azds-local.env", "CONFIG=${volumes.whitelist|\(work)/config/list}\n")
        let session = try await stage.session()
        #expect(session.process.errors.text.contains("volume secret does not appear at /tmp/\(name)/keys"))
        #expect(try await session.output("cat /etc/\(name)/keys/password") == "correct horse")
        #expect(try await session.output("cat config/list/whitelist; pwd") == "10.0.0.1\n10.0.0.2\n\(work)")
        _ = try await session.output("echo new > file~ && mv file~ file && echo mine > ~/kept && ls -d config")
        try await session.exit()
        #expect(try String(contentsOfFile: "\(work)/file", encoding: .utf8) == "new\n")
        #expect(try String(contentsOfFile: "\(home)/kept", encoding: .utf8) == "mine\n")
        try FileManager.default.removeItem(atPath: "\(home)/kept")
        #expect(!FileManager.default.fileExists(atPath: "\(work)/config"))
        #expect(!FileManager.default.fileExists(atPath: "/etc/\(name)"))
      }
    }
  }
}
