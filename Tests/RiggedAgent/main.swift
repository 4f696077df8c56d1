import DevrunAgent
import Glibc

// devrun's agent, but for the archives that it gives: what a container that is not to be trusted could send. Which one
// depends on the volume's mount path. `make rigged` makes a payload of it, for the end-to-end tests.
exit(
  AgentProcess.run(Array(CommandLine.arguments.dropFirst())) { path, _ in
    HostileArchive(named: String(decoding: path.split(separator: UInt8(ascii: "/")).last ?? [], as: UTF8.self))
  })
