import ArgumentParser
import DevrunSystem
import Glibc

/// `devrun-minicluster down`
struct Down: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Ends the cluster of a folder, and removes the folder.")

  @OptionGroup var options: FolderOption

  func run() throws {
    let words =
      switch try ClusterFolder.end(options.folder) {
      case .cluster: "the cluster has ended"
      case .folder: "removed what a killed cluster has left"
      case .nothing: "there is no cluster in \(options.folder)"
      }
    try Descriptor.writeAll("\(words)\n".utf8, to: STDERR_FILENO)
  }
}
