// swift-tools-version: 6.3

import PackageDescription

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioWebSocket: Target.Dependency = .product(name: "NIOWebSocket", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let nioCompression: Target.Dependency = .product(name: "NIOHTTPCompression", package: "swift-nio-extras")
let nioConcurrency: Target.Dependency = .product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioHTTP2: Target.Dependency = .product(name: "NIOHTTP2", package: "swift-nio-http2")
let nioHPACK: Target.Dependency = .product(name: "NIOHPACK", package: "swift-nio-http2")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let nioSOCKS: Target.Dependency = .product(name: "NIOSOCKS", package: "swift-nio-extras")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let subprocess: Target.Dependency = .product(name: "Subprocess", package: "swift-subprocess")
let systemPackage: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let x509: Target.Dependency = .product(name: "X509", package: "swift-certificates")
let asn1: Target.Dependency = .product(name: "SwiftASN1", package: "swift-asn1")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "devrun",
  products: [
    .executable(name: "devrun", targets: ["devrun"]),
    .executable(name: "devrun-agent", targets: ["devrun-agent"]),
    // For Tests/Fuzz.
    .library(name: "DevrunCore", targets: ["DevrunCore"]),
    .library(name: "DevrunSystem", targets: ["DevrunSystem"]),
    .library(name: "DevrunConfig", targets: ["DevrunConfig"]),
    .library(name: "DevrunKube", targets: ["DevrunKube"]),
    .library(name: "DevrunYAML", targets: ["DevrunYAML"]),
    .library(name: "DevrunArchive", targets: ["DevrunArchive"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
    .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
    .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/apple/swift-system", from: "1.5.0"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
  ],
  targets: [
    // What is started here.
    .executableTarget(name: "devrun", dependencies: ["DevrunCommands"], swiftSettings: settings),
    .target(
      name: "DevrunCommands",
      dependencies: [
        "DevrunSession", "DevrunWorkload", "DevrunView", "DevrunLauncher", "DevrunPlan", "DevrunConfig", "DevrunSystem",
        "DevrunCore", argumentParser,
      ],
      swiftSettings: settings),
    .target(
      name: "DevrunSession",
      dependencies: [
        "DevrunWorkload", "DevrunView", "DevrunKube", "DevrunAgentAPI", "DevrunTunnel", "DevrunPlan", "DevrunConfig",
        "DevrunSystem", "DevrunCore", nioCore, nioPosix,
      ],
      swiftSettings: settings),
    // A workload is changed, and put back.
    .target(
      name: "DevrunWorkload", dependencies: ["DevrunKube", "DevrunConfig", "DevrunCore"],
      swiftSettings: settings),
    // What the command sees of the cluster: services, volumes, environment.
    .target(
      name: "DevrunView",
      dependencies: [
        "DevrunKube", "DevrunAgentAPI", "DevrunTunnel", "DevrunArchive", "DevrunPlan", "DevrunConfig", "DevrunSystem",
        "DevrunCore", nioCore,
      ],
      swiftSettings: settings),
    // Launches by a plan file, without a cluster: for the launcher's tests.
    .executableTarget(
      name: "devrun-launch", dependencies: ["DevrunLauncher", "DevrunPlan", "DevrunSystem", "DevrunCore"],
      swiftSettings: settings),
    // Optional helper, installed with CAP_SYS_ADMIN as a file capability. It performs the launcher's privileged steps for
    // users who lack that capability.
    .executableTarget(name: "devrun-exec", dependencies: ["CLinux"]),
    .target(
      name: "DevrunLauncher", dependencies: ["DevrunPlan", "DevrunSystem", "DevrunCore", "CLinux"],
      swiftSettings: settings),
    // The contract of session and launcher, as data.
    .target(name: "DevrunPlan", dependencies: ["DevrunSystem", "DevrunCore"], swiftSettings: settings),
    .target(
      name: "DevrunKube",
      dependencies: [
        "DevrunConfig", "DevrunSystem", "DevrunCore", nioCore, nioPosix, nioHTTP1, nioWebSocket, nioSSL, nioTLS,
        nioSOCKS, nioCompression, nioConcurrency, httpClient, subprocess, systemPackage,
      ],
      swiftSettings: settings),
    .target(
      name: "DevrunConfig", dependencies: ["DevrunYAML", "DevrunPlan", "DevrunSystem", "DevrunCore"],
      swiftSettings: settings),
    .target(name: "DevrunYAML", dependencies: ["DevrunCore", "CLibYAML"], swiftSettings: settings),

    // What runs in the cluster.
    // Fully static where it is released: it runs in images that hold nothing else. Only the root package may say so.
    .executableTarget(
      name: "devrun-agent", dependencies: ["DevrunAgent"], swiftSettings: settings,
      linkerSettings: [.unsafeFlags(["-static-executable"], .when(configuration: .release))]),
    .target(
      name: "DevrunAgent",
      dependencies: [
        "DevrunAgentAPI", "DevrunTunnel", "DevrunArchive", "DevrunSystem", "DevrunCore", "CNSS", nioCore, nioPosix,
        nioHTTP2, nioHPACK,
      ],
      swiftSettings: settings),

    // What both share.
    .target(
      name: "DevrunTunnel",
      dependencies: ["DevrunSystem", "DevrunCore", "CNettle", nioCore, nioPosix, nioHTTP2, nioHPACK],
      swiftSettings: settings),
    .target(
      name: "DevrunAgentAPI", dependencies: ["DevrunTunnel", "DevrunArchive", "DevrunSystem", "DevrunCore", nioCore],
      swiftSettings: settings),
    .target(name: "DevrunArchive", dependencies: ["DevrunSystem", "DevrunCore", nioCore], swiftSettings: settings),
    .target(name: "DevrunSystem", dependencies: ["DevrunCore", "CLinux"], swiftSettings: settings),
    .target(name: "DevrunCore", swiftSettings: settings),

    // A small cluster to try devrun on: a Kubernetes API and one node on this machine.
    .executableTarget(
      name: "devrun-minicluster",
      dependencies: [
        "Minicluster", "DevrunKube", "DevrunConfig", "DevrunSystem", "DevrunCore", "CMinicluster", "CLinux", nioPosix,
        argumentParser,
      ],
      swiftSettings: settings),
    .target(
      name: "Minicluster",
      dependencies: [
        "DevrunKube", "DevrunYAML", "DevrunSystem", "DevrunCore", "CMinicluster", nioCore, nioPosix, nioHTTP1,
        nioWebSocket, nioSSL, x509, asn1, crypto,
      ],
      swiftSettings: settings),

    // C: what Swift cannot see.
    .target(name: "CMinicluster"),
    .target(name: "CLinux"),
    .systemLibrary(name: "CLibYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    .systemLibrary(name: "CNSS"),
    .systemLibrary(name: "CNettle", pkgConfig: "nettle", providers: [.apt(["nettle-dev"])]),

    // What the tests of several targets need.
    .target(
      name: "TestSupport", dependencies: ["DevrunPlan", "DevrunSystem", "DevrunCore", "CLinux"],
      path: "Tests/TestSupport", swiftSettings: settings),
    .target(
      name: "TestCluster",
      dependencies: ["DevrunKube", "DevrunConfig", "DevrunSystem", "DevrunCore", nioCore, nioPosix, nioHTTP1],
      path: "Tests/TestCluster", swiftSettings: settings),
    .target(
      name: "FaultProxy",
      dependencies: [
        "DevrunConfig", "DevrunSystem", "DevrunCore", "TestSupport", nioCore, nioPosix, nioHTTP1, nioSSL, x509, asn1,
        crypto,
      ],
      path: "Tests/FaultProxy", swiftSettings: settings),
    .testTarget(
      name: "FaultProxyTests",
      dependencies: [
        "FaultProxy", "DevrunKube", "DevrunConfig", "DevrunSystem", "DevrunCore", "TestCluster", "TestSupport", nioCore,
        nioPosix, nioSSL,
      ],
      swiftSettings: settings),
    .testTarget(
      name: "TestSupportTests", dependencies: ["TestSupport", "DevrunPlan", "DevrunSystem", "DevrunCore"],
      swiftSettings: settings),
    .testTarget(name: "DevrunCoreTests", dependencies: ["DevrunCore"], swiftSettings: settings),
    .testTarget(
      name: "DevrunSystemTests", dependencies: ["DevrunSystem", "DevrunCore", "TestSupport"], swiftSettings: settings),
    .testTarget(
      name: "DevrunPlanTests", dependencies: ["DevrunPlan", "DevrunSystem", "DevrunCore"], swiftSettings: settings),
    .testTarget(
      name: "DevrunArchiveTests", dependencies: ["DevrunArchive", "DevrunCore", nioCore], swiftSettings: settings),
    .testTarget(name: "DevrunYAMLTests", dependencies: ["DevrunYAML", "DevrunCore"], swiftSettings: settings),
    .testTarget(
      name: "DevrunConfigTests",
      dependencies: ["DevrunConfig", "DevrunYAML", "DevrunPlan", "DevrunSystem", "DevrunCore", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "DevrunLauncherTests",
      dependencies: [
        "DevrunLauncher", "DevrunPlan", "DevrunSystem", "DevrunCore", "CLinux", "TestSupport", "devrun-launch",
        "devrun-exec", "NIOClient",
      ],
      swiftSettings: settings),
    .testTarget(
      name: "DevrunTunnelTests",
      dependencies: [
        "DevrunView", "DevrunTunnel", "DevrunAgentAPI", "DevrunArchive", "DevrunAgent", "DevrunPlan", "DevrunSystem",
        "DevrunCore", "TestSupport", "devrun-agent",
        nioCore, nioPosix,
        nioEmbedded, nioHPACK, nioHTTP2, nioConcurrency,
      ],
      swiftSettings: settings),
    .testTarget(
      name: "DevrunKubeTests",
      dependencies: [
        "DevrunKube", "DevrunConfig", "DevrunSystem", "DevrunCore", "TestSupport", nioCore, nioPosix, nioHTTP1,
        nioWebSocket, nioSSL, nioEmbedded, nioConcurrency,
      ],
      swiftSettings: settings),
    .testTarget(
      name: "DevrunSessionTests",
      dependencies: [
        "DevrunSession", "DevrunConfig", "DevrunKube", "DevrunPlan", "DevrunTunnel", "DevrunSystem", "DevrunCore",
        "DevrunView", "DevrunWorkload", "FaultProxy", "TestCluster", "TestSupport", nioPosix, nioCore, nioEmbedded,
      ],
      swiftSettings: settings),
    .testTarget(
      name: "DevrunWorkloadTests",
      dependencies: [
        "DevrunWorkload", "DevrunKube", "DevrunConfig", "DevrunSystem", "DevrunCore", "FaultProxy", "TestCluster",
        nioCore,
        nioPosix,
      ],
      swiftSettings: settings),
    .testTarget(
      name: "DevrunViewTests",
      dependencies: [
        "DevrunView", "DevrunAgentAPI", "DevrunTunnel", "DevrunKube", "DevrunConfig", "DevrunPlan", "DevrunSystem",
        "DevrunCore", "TestCluster", "TestSupport",
      ],
      swiftSettings: settings),
    .testTarget(
      name: "MiniclusterTests",
      dependencies: [
        "Minicluster", "DevrunKube", "DevrunConfig", "DevrunSystem", "DevrunCore", "TestSupport", "devrun-minicluster",
        "CMinicluster", "DevrunPlan", "node-trial", nioCore, nioPosix, nioHTTP1,
      ],
      swiftSettings: settings),
    .testTarget(
      name: "DevrunCommandsTests",
      dependencies: [
        "DevrunCommands", "DevrunLauncher", "DevrunSession", "DevrunWorkload", "DevrunPlan", "DevrunConfig",
        "DevrunSystem", "DevrunCore", "TestSupport",
        "devrun", argumentParser,
      ],
      swiftSettings: settings),
    // A client on SwiftNIO, for the launcher's tests.
    .executableTarget(
      name: "NIOClient", dependencies: [nioCore, nioPosix], path: "Tests/NIOClient", swiftSettings: settings),
    // A node without a cluster, for the minicluster's tests.
    .executableTarget(
      name: "node-trial", dependencies: ["Minicluster", "DevrunSystem", nioCore, nioPosix], path: "Tests/NodeTrial",
      swiftSettings: settings),
    // An agent that is not to be trusted, for the end-to-end tests.
    .executableTarget(
      name: "rigged-agent", dependencies: ["DevrunAgent", "DevrunArchive"], path: "Tests/RiggedAgent",
      swiftSettings: settings,
      linkerSettings: [.unsafeFlags(["-static-executable"], .when(configuration: .release))]),
    .testTarget(
      name: "ScenarioTests",
      dependencies: [
        "DevrunKube", "DevrunConfig", "DevrunPlan", "DevrunSystem", "DevrunCore", "CLinux", "FaultProxy", "TestSupport",
        nioCore, nioPosix, nioHTTP1,
      ],
      swiftSettings: settings),
    .testTarget(
      name: "EndToEndTests", dependencies: ["DevrunPlan", "DevrunSystem", "DevrunCore", "TestSupport"],
      swiftSettings: settings),
  ]
)
