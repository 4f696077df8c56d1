import ArgumentParser
import DevrunCore
import DevrunSystem
import Glibc

/// `devrun-minicluster run`
struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Runs a command with a cluster of its own, and exits with the command's status.")

  @OptionGroup var options: FolderOption
  @Option(name: .shortAndLong, help: "A manifest with objects to make before the command is started. Can be repeated.")
  var file: [String] = []
  @Argument(parsing: .captureForPassthrough, help: "The command. It gets KUBECONFIG.")
  var command: [String]

  private var words: [String] { command.first == "--" ? Array(command.dropFirst()) : command }

  func validate() throws {
    if words.isEmpty { throw ValidationError("Name a command: devrun-minicluster run -- COMMAND") }
  }

  func run() throws {
    let folder = try ClusterFolder.claim(options.folder)
    let status: Int32
    do {
      let (reading, ready) = try Descriptor.pipe()
      var cluster = try ClusterProcess.start(in: folder, manifests: file, ready: ready)
      ready.close()
      status = try cluster.run(words, whenReady: reading)
    } catch {
      try folder.remove()
      throw error
    }
    throw ExitCode(status)
  }
}
