import DevrunCore
import DevrunKube
import DevrunSystem
import Foundation
import TestSupport
import Testing

@testable import Minicluster

/// The files of volumes.
struct KubeletVolumeTests {
  private static let map: KubeObject = ["data": ["a": "1", "b.txt": "hello\n"], "binaryData": ["bin": "AAEC"]]
  private static let secret: KubeObject = ["data": ["pass": "d29yZA=="]]

  private func files(_ volume: JSONValue) throws(VolumeError) -> [String: VolumeFile]? {
    let pod: KubeObject = [
      "metadata": ["name": "p", "namespace": "team", "labels": ["app": "web"]],
      "spec": ["containers": [["name": "main", "resources": ["limits": ["cpu": "2"]]]]],
    ]
    let fields = PodFields(pod: pod, capacity: NodeCapacity(cpu: 8, memory: 0, ephemeralStorage: 0))
    return try VolumeContents(
      fields: fields, configMap: { $0 == "cm" ? Self.map : nil }, secret: { $0 == "sec" ? Self.secret : nil },
      token: { "token for \($0 ?? "the server") \($1)" }
    ).files(of: volume)
  }

  private func text(_ volume: JSONValue) throws -> [String: String] {
    try #require(try files(volume)).mapValues { file in
      "\(String(file.mode, radix: 8)) \(String(decoding: file.bytes, as: UTF8.self))"
    }
  }

  @Test func `A ConfigMap's keys are files, texts and bytes`() throws {
    let files = try #require(try files(["configMap": ["name": "cm"]]))
    #expect(files["a"] == VolumeFile(bytes: Array("1".utf8), mode: 0o644))
    #expect(files["bin"] == VolumeFile(bytes: [0, 1, 2], mode: 0o644))
    #expect(files.keys.sorted() == ["a", "b.txt", "bin"])
  }

  @Test func `Items choose keys, paths and modes`() throws {
    let volume: JSONValue = [
      "secret": [
        "secretName": "sec", "defaultMode": 0o440,
        "items": [["key": "pass", "path": "d/p", "mode": 0o400], ["key": "pass", "path": "q"]],
      ]
    ]
    #expect(try text(volume) == ["d/p": "400 word", "q": "440 word"])
  }

  @Test func `A projected volume has the files of all its sources, each with its mode`() throws {
    let volume: JSONValue = [
      "projected": [
        "defaultMode": 0o444,
        "sources": [
          ["configMap": ["name": "cm", "items": [["key": "a", "path": "loader", "mode": 0o555]]]],
          ["secret": ["name": "sec"]], ["configMap": ["name": "gone", "optional": true]],
          [
            "downwardAPI": [
              "items": [
                ["path": "labels", "fieldRef": ["fieldPath": "metadata.labels"]],
                ["path": "cpu", "resourceFieldRef": ["containerName": "main", "resource": "limits.cpu"]],
              ]
            ]
          ],
          ["serviceAccountToken": ["path": "token", "expirationSeconds": 3607]],
        ],
      ]
    ]
    #expect(
      try text(volume) == [
        "loader": "555 1", "pass": "444 word", "labels": "444 app=\"web\"", "cpu": "444 2",
        "token": "444 token for the server 3607",
      ])
  }

  @Test(
    arguments: [
      (["configMap": ["name": "nope"]], "configmap \"nope\" not found"),
      (["secret": ["secretName": "nope"]], "secret \"nope\" not found"),
      (
        ["configMap": ["name": "cm", "items": [["key": "zz", "path": "zz"]]]],
        "configmap references non-existent config key: zz"
      ),
      (
        ["secret": ["secretName": "sec", "items": [["key": "zz", "path": "zz"]]]],
        "references non-existent secret key: zz"
      ),
      (["configMap": ["name": "cm", "items": [["key": "a", "path": "../x"]]]], "invalid path ../x"),
    ] as [(JSONValue, String)]) func `What is missing is named in kubelet's words`(volume: JSONValue, message: String)
  {
    #expect(throws: VolumeError(message: message)) { _ = try files(volume) }
  }

  @Test func `A volume of another kind has no files of its own`() throws {
    #expect(try files(["emptyDir": [:]]) == nil)
  }

  // MARK: - On disk

  private func file(_ text: String, _ mode: UInt32 = 0o644) -> VolumeFile {
    VolumeFile(bytes: Array(text.utf8), mode: mode)
  }

  @Test func `Files are behind one link, which changes as a whole`() throws {
    try TemporaryFolder.with { folder in
      let writer = VolumeWriter(folder: folder.path)
      let first = ["a": file("1", 0o400), "d/b": file("2")]
      try writer.write(first, after: nil)
      #expect(try folder.names().filter { !$0.hasPrefix("..2") } == ["..data", "a", "d"])
      #expect(try SymbolicLink.target(of: RawString(folder.path("a"))) == "..data/a")
      #expect(try SymbolicLink.target(of: RawString(folder.path("d"))) == "..data/d")
      #expect(try folder.text(of: "d/b") == "2")
      let data = try SymbolicLink.target(of: RawString(folder.path("..data"))).description
      #expect(try folder.mode(of: "\(data)/a") == 0o400)
      #expect(try folder.mode(of: data) == 0o755)

      let second = ["a": file("changed"), "c": file("3")]
      try writer.write(second, after: first)
      #expect(try folder.names().filter { !$0.hasPrefix("..2") } == ["..data", "a", "c"])
      #expect(try folder.text(of: "a") == "changed")
      #expect(try SymbolicLink.target(of: RawString(folder.path("..data"))).description != data)
      #expect(try folder.names().count { $0.hasPrefix("..2") } == 1)
    }
  }

  @Test func `Files that have not changed are not written again`() throws {
    try TemporaryFolder.with { folder in
      let writer = VolumeWriter(folder: folder.path)
      try writer.write(["a": file("1")], after: nil)
      let data = try SymbolicLink.target(of: RawString(folder.path("..data")))
      try writer.write(["a": file("1")], after: ["a": file("1")])
      #expect(try SymbolicLink.target(of: RawString(folder.path("..data"))) == data)
    }
  }

  @Test func `A mount of a part of a volume makes that part, and the variables choose it`() throws {
    try TemporaryFolder.with { folder in
      let volumes = PodVolumes(folder: folder.path)
      let pod: KubeObject = ["spec": ["volumes": [["name": "e", "emptyDir": [:]]]]]
      let contents = VolumeContents(
        fields: PodFields(pod: pod, capacity: NodeCapacity(cpu: 1, memory: 1, ephemeralStorage: 1)),
        configMap: { _ in nil }, secret: { _ in nil }, token: { _, _ in "" })
      #expect(volumes.update(of: pod, with: contents).isEmpty)
      #expect(try folder.mode(of: "e") == 0o777)
      let container = Container([
        "name": "main",
        "volumeMounts": [
          ["name": "e", "mountPath": "/e", "readOnly": true],
          ["name": "e", "mountPath": "/s", "subPathExpr": "x/$(N)"],
        ],
      ])
      let mounts = try volumes.mounts(of: container, in: pod) { $0 == "N" ? "y" : nil }
      #expect(mounts.map(\.source) == [folder.path("e"), folder.path("e/x/y")])
      #expect(mounts.map(\.isReadOnly) == [true, false])
      #expect(try folder.names(in: "e/x") == ["y"])
      let bad = Container(["name": "main", "volumeMounts": [["name": "e", "mountPath": "/e", "subPath": "../x"]]])
      #expect(throws: ContainerConfigError.self) { _ = try volumes.mounts(of: bad, in: pod) { _ in nil } }
    }
  }

  @Test func `A token is issued once, and again for another audience`() {
    let count = Broadcast<TokenRequest>()
    let tokens = PodTokens(namespace: "team", serviceAccount: "default") { request in
      count.send(request)
      return "token \(request.audience ?? "")"
    }
    #expect(tokens.token(audience: nil, expirationSeconds: 3600) == "token ")
    #expect(tokens.token(audience: nil, expirationSeconds: 3600) == "token ")
    #expect(tokens.token(audience: "vault", expirationSeconds: 3600) == "token vault")
    #expect(count.takeBack { _ in true }.map(\.audience) == [nil, "vault"])
  }
}
