import DevrunSystem
import Dispatch
import Foundation
import Minicluster
import NIOCore
import NIOPosix
import Synchronization

/// `node-trial`: a node without a cluster, for its tests.
///
/// It reads steps from its standard input, one a line as JSON, and answers each by a line.
@main
struct NodeTrial {
  static func main() {
    do {
      switch try Place.enter() {
      case .outer(let node): exit(end(of: node))
      case .node: serve()
      }
    } catch {
      FileHandle.standardError.write(Data("\(error)\n".utf8))
      exit(125)
    }
  }

  /// Waits for the end of the node.
  private static func end(of node: Int32) -> Int32 {
    var status: Int32 = 0
    while waitpid(node, &status, 0) < 0 && errno == EINTR {}
    return status >> 8 & 0xff
  }

  private static func serve() -> Never {
    Task {
      do {
        let trial = TrialNode(network: try await PodNetwork())
        while let line = readLine(strippingNewline: true) {
          let step = try JSONDecoder().decode(TrialStep.self, from: Data(line.utf8))
          let answer = await trial.answer(to: step)
          print(answer.replacing("\n", with: "\\n"))
          fflush(nil)
        }
        exit(0)
      } catch {
        FileHandle.standardError.write(Data("\(error)\n".utf8))
        exit(1)
      }
    }
    dispatchMain()
  }
}
