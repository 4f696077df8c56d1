import ArgumentParser
import DevrunCore
import DevrunSystem
import Glibc

/// `devrun-minicluster`: a small cluster on this machine, to try devrun on.
///
/// It is a stand-in for a Kubernetes cluster, never the judge of what Kubernetes does.
@main
struct DevrunMinicluster: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "devrun-minicluster",
    abstract: "A small Kubernetes cluster on this machine, to try devrun on.",
    discussion: """
      Its node is a process in namespaces of its own. It needs neither root nor a container engine, only `ip` of
      iproute2. Containers see this machine's files, which they cannot change.
      """,
    subcommands: [Up.self, Down.self, Run.self, Apply.self, Exec.self])

  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let error as any UserFacingError {
      report(error)
      Glibc.exit(1)
    } catch let error as Errno {
      report(error)
      Glibc.exit(1)
    } catch {
      exit(withError: error)
    }
  }
}

/// The option that all commands have.
struct FolderOption: ParsableArguments {
  @Option(help: "The folder of the cluster: its kubeconfig, and its state.")
  var folder = Self.standard

  static let standard = "build/minicluster"
}

/// The cluster that a command works with.
struct ClusterInUse: ParsableArguments {
  @Option(
    help: "The cluster's folder; by default the one of the kubeconfig that KUBECONFIG names, else build/minicluster.")
  var folder: String?

  /// The folder of the option; else the one of `KUBECONFIG`, if that is a cluster's; else the default.
  var path: String {
    if let folder { return folder }
    let named = EnvironmentVariables.current["KUBECONFIG"]?.description ?? ""
    let parent = named.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    return named == ClusterFolder.kubeconfig(in: parent) ? parent : FolderOption.standard
  }
}

/// A failure that a command reports.
struct CommandFailure: UserFacingError {
  var message: ErrorMessage

  init(_ what: String, why: String? = nil, remedy: String? = nil) {
    message = ErrorMessage(what, why: why, remedy: remedy)
  }
}
