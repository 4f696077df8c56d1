internal import DevrunAgentAPI
internal import DevrunCore
internal import DevrunTunnel
internal import Glibc

/// What the agent tells of its container.
enum ContainerFacts {
  static func read() -> AgentInfo {
    var hostname = [CChar](repeating: 0, count: 256)
    gethostname(&hostname, hostname.count - 1)
    var directory = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    let hasDirectory = getcwd(&directory, directory.count) != nil
    // A container without the file has no name servers either.
    let resolvConf = (try? SmallFile.read("/etc/resolv.conf", limit: 64 << 10)) ?? []
    func bytes(_ text: [CChar]) -> [UInt8] { text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) } }
    return AgentInfo(
      hostname: String(decoding: bytes(hostname), as: UTF8.self),
      resolvConf: String(decoding: resolvConf, as: UTF8.self), uid: getuid(), gid: getgid(),
      workingDirectory: RawString(hasDirectory ? bytes(directory) : [UInt8(ascii: "/")]))
  }
}
