import ArgumentParser
import CMinicluster
import DevrunCore
import DevrunSystem
import Glibc

/// `devrun-minicluster up`
struct Up: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Starts a cluster in the background, and prints the line that points KUBECONFIG at it.")

  @OptionGroup var options: FolderOption
  @Option(name: .shortAndLong, help: "A manifest with objects to make at the start. Can be repeated.")
  var file: [String] = []

  func run() throws {
    let path = ClusterFolder.absolute(options.folder)
    if try !ClusterFolder.isReady(path) { try start() }
    print("export KUBECONFIG=\(ClusterFolder.kubeconfig(in: path))")
  }

  private func start() throws {
    let folder = try ClusterFolder.claim(options.folder)
    let (reading, ready) = try Descriptor.pipe()
    if try shim({ minicluster_fork() }) == 0 { keep(folder, ready) }
    ready.close()
    let answer = String(decoding: try reading.readToEnd(), as: UTF8.self)
    guard answer == "ready\n" else {
      throw CommandFailure(
        "the cluster has not started", why: answer.isEmpty ? "it was killed" : String(answer.dropLast()))
    }
  }

  /// What the process in the background does.
  private func keep(_ folder: ClusterFolder, _ ready: Descriptor) -> Never {
    do {
      try detach(folder)
      var cluster = try ClusterProcess.start(in: folder, manifests: file, ready: ready)
      ready.close()
      Glibc.exit(try cluster.keep())
    } catch {
      try? ready.writeAll("\(error)\n".utf8)
      try? folder.remove()
      Glibc.exit(1)
    }
  }

  /// Leaves the terminal, and writes to the cluster's log from now on.
  private func detach(_ folder: ClusterFolder) throws(Errno) {
    try system { setsid() }
    let input = try Descriptor.open("/dev/null", O_RDONLY)
    let log = try folder.openLog()
    for (number, file) in [(STDIN_FILENO, input), (STDOUT_FILENO, log), (STDERR_FILENO, log)] {
      try system { dup2(file.number, number) }
    }
  }
}
