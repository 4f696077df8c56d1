// swift-tools-version: 6.3

// Fuzz targets for the readers of foreign bytes: `make fuzz`. They are a package of their own, because all of a
// package, with what it depends on, is built for libFuzzer (`--sanitize fuzzer`).

import PackageDescription

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

let core: Target.Dependency = .product(name: "DevrunCore", package: "devrun")
let yaml: Target.Dependency = .product(name: "DevrunYAML", package: "devrun")
let system: Target.Dependency = .product(name: "DevrunSystem", package: "devrun")
let config: Target.Dependency = .product(name: "DevrunConfig", package: "devrun")
let archive: Target.Dependency = .product(name: "DevrunArchive", package: "devrun")
let kube: Target.Dependency = .product(name: "DevrunKube", package: "devrun")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")

let package = Package(
  name: "devrun-fuzz",
  dependencies: [
    .package(name: "devrun", path: "../.."),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
  ],
  targets: [
    .executableTarget(name: "fuzz-local-env", dependencies: [config, system, core], swiftSettings: settings),
    .executableTarget(name: "fuzz-yaml", dependencies: [config, yaml, core], swiftSettings: settings),
    .executableTarget(name: "fuzz-archive", dependencies: [archive, core, nioCore], swiftSettings: settings),
    .executableTarget(
      name: "fuzz-credentials", dependencies: [kube, config, system, core, nioSSL], swiftSettings: settings),
    .executableTarget(name: "fuzz-protobuf", dependencies: [kube, core], swiftSettings: settings),
  ]
)
