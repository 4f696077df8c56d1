import DevrunPlan
import DevrunCore
import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd.Insides {
  /// The volumes of a container, as the command sees them. kubelet renews them when a pod changes, so an annotation on
  /// the session's pod spares the minute that it takes otherwise.
  @Suite(
    "Volumes of a container",
    .session(manifest: "volumes", comparesObjects: false) { cluster in
      ["-t", "deployment/volumes", "--take-over", "never", "--env-file", "\(cluster.fixtures)/volumes.env"]
    })
  struct Volumes {
    let cluster = Cluster.shared
    let shell = SessionShell.shared

    @Test(
      arguments: [
        ("cat /etc/volumes/settings/colour", "blue"),
        ("od -An -tx1 /etc/volumes/settings/bytes", " ff 00 01 02 03 0a 0d"),
        ("readlink /etc/volumes/settings/colour", "..data/colour"),
        ("cat /etc/volumes/single.conf", "one"), ("stat -c %F /etc/volumes/single.conf", "regular file"),
        ("cat /etc/volumes/secret/deep/word", "canary-9c41f7"),
        ("stat -Lc %a /etc/volumes/secret/deep/word", "440"), ("ls /etc/volumes/secret", "deep"),
        ("ls /etc/volumes/all", "colour\nname\ntoken"), ("cat /etc/volumes/all/name", "volumes-POD"),
        ("cut -d. -f1 </etc/volumes/all/token | base64 -d 2>/dev/null | cut -c1-7", "{\"alg\":"),
        ("grep tier /etc/volumes/labels/labels", "tier=\"back\""),
        ("cat /scratch/deep/er/file /scratch/link", "1\n1"), ("stat -c %s /scratch/empty", "0"),
        ("cat '/scratch/na me' /scratch/no*text", "xy"), ("stat -c %s /scratch/sparse", "5000001"),
        ("test $(du -k /scratch/sparse | cut -f1) -lt 1000 && echo sparse", "sparse"),
        ("ls /scratch/outside 2>&1 | wc -l", "1"), ("test -e /scratch/outside || echo left out", "left out"),
        // The node's, one of which is over the limit.
        ("test -e /node || echo not unasked", "not unasked"), ("test -e /big || echo not unasked", "not unasked"),
        // The pod's own: what an init container or the app wrote there is in the app's pods alone.
        ("ls -A /shared /own", "/own:\n\n/shared:"),
      ])
    func `A volume appears at the container's own path with its links, modes and bytes`(
      command: String, output: String
    ) async throws {
      let answer = try await shell.output(command)
      if output == "volumes-POD" { return #expect(answer.hasPrefix("volumes-")) }
      #expect(answer == output)
    }

    @Test func `A volume that stays empty is reported if another container shares it`() {
      let errors = shell.process.errors.text
      #expect(errors.contains("volume shared is empty: container warm, which shares it"), "\(errors)")
      #expect(!errors.contains("volume own"), "\(errors)")
      // None of these is large, and nothing else is worth a word.
      #expect(errors.components(separatedBy: "warning:").count == 2, "\(errors)")
    }

    @Test func `A ConfigMap that changes in the cluster changes for the running command`() async throws {
      let before = try await shell.output("ls /etc/volumes/settings; cat /etc/volumes/settings/colour")
      #expect(before == "bytes\ncolour\nother.conf\nblue")
      try await cluster.kubectl(
        "patch", "configmap/volumes-settings", "--type=merge",
        "-p", #"{"data": {"colour": "red", "other.conf": null, "added": "new"}}"#)
      let pod = try await shell.output("cat /etc/volumes/all/name")
      try await cluster.kubectl("annotate", "pod/\(pod)", "example.com/now=1")
      // As kubelet does, devrun changes what the names lead to first, and then adds names and takes away what is left over.
      #expect(
        try await shell.output(
          """
          cd /etc/volumes/settings
          until grep -q red colour && test -L added && ! test -L other.conf; do sleep 0.1; done
          ls
          cd - >/dev/null
          """,
          within: .seconds(120))
          == "added\nbytes\ncolour")
      #expect(try await shell.output("cat /etc/volumes/settings/added") == "new")
      // The projected volume has the same ConfigMap, and what is mounted with subPath is not renewed in the pod either.
      _ = try await shell.output(
        "until grep -q red /etc/volumes/all/colour; do sleep 0.1; done", within: .seconds(120))
      #expect(try await shell.output("cat /etc/volumes/single.conf") == "one")
    }
  }

  /// Volumes that are named, large, or secret.
  @Suite("Volumes by name")
  struct NamedVolumes {
    let cluster = Cluster.shared

    /// Runs a command with an env file and returns how it went.
    private func session(
      _ file: String, target: String = "volumes", options: [String] = [], _ script: String,
      place: TestProcess.Place = .ownGroup
    ) async throws -> Outcome {
      let path = "\(cluster.user.work)/volumes.env"
      try cluster.user.write(file, to: path)
      defer { unlink(path) }
      return try await cluster.leavingNoTrace {
        let arguments =
          ["-t", "deployment/\(target)", "--take-over", "never", "--env-file", path] + options
          + ["--", "sh", "-c", script]
        return try await cluster.start(arguments, place: place).outcome(within: .seconds(300))
      }
    }

    @Test func `A volume over the limit is refused with its size and remedies, and a part is copied`() async throws {
      try await cluster.with(manifest: "volumes") {
        let refused = try await session("BIG=${volumes.big}\n", "echo ran")
        #expect(refused.status == .exited(125), "\(refused)")
        #expect(refused.output == "")
        for words in ["volume big", "1Gi", "256Mi", "--volume-limit", "${volumes.big/"] {
          #expect(refused.errors.contains(words), "\(refused)")
        }
        let part = try await session("ONE=${volumes.big/part/*.txt}/one.txt\n", "cat $ONE; ls /big 2>&1 | wc -l")
        #expect(part.status == .exited(0), "\(part)")
        #expect(part.output == "small\n1\n")
      }
    }

    @Test func `A volume of 1 GiB is copied with progress, and a named hostPath volume is copied too`() async throws {
      try await cluster.with(manifest: "volumes") {
        let outcome = try await session(
          "BIG=${volumes.big|/big}\nNODE=${volumes.node/hostname}\n", options: ["--volume-limit", "2Gi"],
          "stat -c 'size %s' $BIG/file; echo lines $(wc -l <$NODE)", place: .terminal)
        #expect(outcome.status == .exited(0), "\(outcome)")
        #expect(outcome.output.contains("size 1073741824"), "\(outcome)")
        #expect(outcome.output.contains("lines 1"), "\(outcome)")
        #expect(outcome.output.contains("copying volume big: 1Gi of 1Gi"), "\(outcome)")
      }
    }

    @Test func `A hundred thousand small files are copied, and an unreadable one is reported`() async throws {
      try await cluster.with(manifest: "many") {
        let outcome = try await session(
          "MANY=${volumes.many}\nSAME=${volumes.many|/many}\n", target: "many",
          "find $MANY -type f | wc -l; cat $MANY/d98/f999; ls $MANY/locked | wc -l; test -e /many/d0/f0 && echo there")
        #expect(outcome.status == .exited(0), "\(outcome)")
        #expect(outcome.output == "100000\n999\n0\nthere\n", "\(outcome)")
        #expect(outcome.errors.contains("volume many comes without 1 of its files"), "\(outcome)")
      }
    }

    @Test func `No file has a secret after a session, nor after a killed session and its restore`() async throws {
      let canary = "canary-9c41f7"
      try await cluster.with(manifest: "volumes") {
        let outcome = try await session("", "cat /etc/volumes/secret/deep/word")
        #expect(outcome.output == canary, "\(outcome)")
        #expect(try await cluster.machine.files(holding: canary) == [])

        try await cluster.leavingNoTrace {
          let process = try cluster.start([
            "-t", "deployment/volumes", "--take-over", "now", "--", "sh", "-c", "echo ready; exec sleep 60",
          ])
          try await process.output.wait(for: "ready")
          try await cluster.killSession(process)
          // It lies in memory until the next run.
          let left = try await cluster.machine.files(holding: canary)
          #expect(!left.isEmpty)
          #expect(left.allSatisfy { $0.hasPrefix("/dev/shm/") || $0.hasPrefix("/run/") }, "\(left)")
          let restored = try await cluster.devrun("restore", "deployment/volumes")
          #expect(restored.status == .exited(0), "\(restored)")
          #expect(try await cluster.machine.files(holding: canary) == [])
        }
      }
    }
  }
}
