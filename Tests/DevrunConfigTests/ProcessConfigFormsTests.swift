import DevrunCore
import DevrunSystem
import Foundation
import TestSupport
import Testing

@testable import DevrunConfig

@Suite("KubernetesLocalProcessConfig.yaml as people have it")
struct ProcessConfigFormsTests {
  private func parse(_ text: String, source: String = "/home/me/app/f.yaml") throws -> LocalEnvFile {
    try KubernetesLocalProcessConfig.parse(Array("version: 0.1\n\(text)".utf8), source: source)
  }

  @Test(
    arguments: [
      ("./cdapp", "/home/me/app/cdapp"), ("cdapp/", "/home/me/app/cdapp"), ("../x/./y", "/home/me/x/y"),
      ("/a//b", "/a/b"),
    ])
  func `A localPath may be relative to the file`(path: String, target: String) throws {
    let file = try parse("volumeMounts:\n- {name: v, localPath: '\(path)'}\n")
    #expect(file.volumeReferences.map(\.mountPath) == [target])
  }

  @Test func `A relative localPath is seen from the folder of a file that is itself named by a relative path`() throws {
    try TemporaryFolder.with { folder in
      try folder.write("sub/f.yml", "version: 0.1\nvolumeMounts:\n- {name: v, localPath: x}\n")
      let directory = FileManager.default.currentDirectoryPath
      let up = String(repeating: "../", count: directory.split(separator: "/").count)
      let path = up + folder.path.dropFirst() + "/sub/f.yml"
      let file = try EnvironmentFiles.load([path], in: directory)
      #expect(file.volumeReferences.map(\.mountPath) == ["\(folder.path)/sub/x"])
    }
  }

  @Test func `An entry of volumeMounts that nothing uses, and whose name no volume can have, causes a warning`() throws
  {
    let file = try parse("volumeMounts:\n- {name: MY_VOLUME, localPath: /x}\n- {name: ok}\n")
    #expect(file.volumeReferences.isEmpty)
    #expect(
      file.warnings.map(\.description) == [
        "/home/me/app/f.yaml:3:10: the entry has no effect, because 'MY_VOLUME' is no name of a volume: names have "
          + "lower-case letters, digits and '-', here also '*'"
      ])
    let used = "volumeMounts:\n- {name: V, localPath: /x}\nenv:\n- {name: A, value: '$(volumeMounts:V)'}\n"
    let error = try #require(throws: LocalEnvError.self) { try parse(used) }
    #expect(error.problems.map(\.reason) == [.invalidVolumeName("V")])
  }

  @Test func `A mistake in one part of an entry hides none in another`() throws {
    let error = try #require(throws: LocalEnvError.self) {
      try parse(
        "volumeMounts:\n- {localPath: 'C:\\x'}\nenv:\n- {value: '$(nope)'}\n- {name: '', value: '$(services:X)'}\n")
    }
    #expect(error.problems.map(\.position.mark?.line) == [3, 3, 5, 5, 6, 6])
  }

  @Test func `Ports may be separated by blanks, and a name may end in a dot`() throws {
    let file = try parse(
      """
      env:
      - {name: A, value: "$(services:a:80 443)"}
      - {name: B, value: "$(services:b.ns.:80, 443)"}
      - {name: C, value: "$(externalendpoints:db.example.com.:1433 1434)"}
      """)
    #expect(file.serviceReferences.map { "\($0.name).\($0.namespace ?? "")" } == ["a.", "b.ns"])
    #expect(file.endpointReferences.map(\.host) == ["db.example.com"])
    for ports in ["80 x", " ", "80,,1", "80 0"] {
      #expect(throws: LocalEnvError.self, "\(ports)") {
        try parse("env:\n- {name: A, value: '$(services:a:\(ports))'}")
      }
    }
  }

  @Test func `A feature that Bridge to Kubernetes has is refused with what to do instead`() throws {
    let error = try #require(throws: LocalEnvError.self) { try parse("enableFeatures: [lifecyclehooks]") }
    #expect(error.message.what == "/home/me/app/f.yaml:2:18: the feature lifecyclehooks is not supported")
    #expect(error.message.remedy?.contains("in the command itself") == true)
  }

  @Test(
    arguments: [
      ("${services.web.shop}:80", "'${services.web.shop}' stands for itself in this file; write $(services:shop.web)"),
      ("a ${volumes.v/x|/y}", "'${volumes.v/x|/y}' stands for itself in this file; write $(volumeMounts:v)"),
      ("${env.X}", "'${env.X}' stands for itself in this file; write the line in azds-local.env"),
    ])
  func `A token of azds-local.env in the YAML file causes a warning with the file's own syntax`(
    value: String, words: String
  ) throws {
    let file = try parse("env:\n- {name: A, value: '\(value)'}\n")
    #expect(file.assignments.map { shown($0.segments) } == [value])
    #expect(
      file.warnings.map(\.description).joined().hasPrefix("/home/me/app/f.yaml:3:20: \(words)"), "\(file.warnings)")
  }

  @Test(
    arguments: [
      (
        "$(services:web.shop:80)",
        "'$(services:web.shop:80)' stands for itself in this file; write ${services.shop.web}"
      ),
      ("\"x $(VolumeMounts:v)\"", "'$(VolumeMounts:v)' stands for itself in this file; write ${volumes.v}"),
      ("$(externalendpoints:h:1)", "'$(externalendpoints:h:1)' stands for itself in this file; write it in Kube"),
    ])
  func `A token of the YAML file in azds-local.env causes a warning with the file's own syntax`(
    value: String, words: String
  ) throws {
    let file = try AzdsLocalEnv.parse(Array("A=\(value)\n".utf8), source: "f.env")
    #expect(file.warnings.map(\.description).joined().hasPrefix("f.env:1:1: \(words)"), "\(file.warnings)")
    #expect(try AzdsLocalEnv.parse(Array("A='$(date) $(x:y) ${services'".utf8), source: "f").warnings.isEmpty)
  }

  @Test(arguments: ["C:\\temp\\x", "c:/x", "\\\\server\\x", ".\\x"])
  func `A path of Windows in azds-local.env is called so`(path: String) throws {
    let error = try #require(throws: LocalEnvError.self) {
      try AzdsLocalEnv.parse(Array("A=${volumes.v|\(path)}\n".utf8), source: "f.env")
    }
    #expect(error.message.what == "f.env:1:3: '\(path)' is a path of Windows")
  }

  @Test(arguments: ["X.YAML", "x.Yml", "X.yaml"])
  func `The kind of an environment file is seen by its extension in any letter case`(name: String) throws {
    try TemporaryFolder.with { folder in
      let path = try folder.write(name, "version: 0.1\nenv:\n- {name: A, value: 1}\n")
      #expect(try EnvironmentFiles.load([path]).assignments.map(\.name) == ["A"])
    }
  }
}
