import DevrunAgent
import Testing

@Suite struct MemoryLimitTests {
  struct Machine: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var files: [String: String]
    var limit: Int
  }

  @Test(arguments: [
    Machine(
      testDescription: "version 2, own namespace",
      files: ["/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "33554432\n"], limit: 32 << 20),
    Machine(
      testDescription: "version 2, the node's namespace",
      files: [
        "/proc/self/cgroup": "0::/kubepods/pod1\n", "/sys/fs/cgroup/kubepods/pod1/memory.max": "33554432\n",
        "/sys/fs/cgroup/memory.max": "max\n",
      ], limit: 32 << 20),
    Machine(
      testDescription: "version 2, no limit",
      files: ["/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "max\n"], limit: MemoryLimit.greatest),
    Machine(
      testDescription: "version 1",
      files: [
        "/proc/self/cgroup": "11:cpu,cpuacct:/kubepods/x\n7:memory:/kubepods/x\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "67108864\n",
      ], limit: 64 << 20),
    Machine(
      testDescription: "version 1, no limit",
      files: [
        "/proc/self/cgroup": "7:memory:/\n", "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      ], limit: MemoryLimit.greatest),
    Machine(testDescription: "nothing can be read", files: [:], limit: MemoryLimit.assumed),
    Machine(
      testDescription: "a limit above what is used", files: ["/sys/fs/cgroup/memory.max": "8589934592\n"],
      limit: MemoryLimit.greatest),
  ])
  func `A container's memory limit is read from its cgroup or else assumed`(machine: Machine) {
    #expect(MemoryLimit.bytes { machine.files[$0] } == machine.limit)
  }
}
