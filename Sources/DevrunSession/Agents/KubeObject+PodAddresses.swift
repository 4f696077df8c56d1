internal import DevrunCore
internal import DevrunKube

extension KubeObject {
  /// The addresses of a pod: one, or one of each family. None on its node's network: this machine is no node, but a program
  /// that binds to a node's address means more than itself.
  var podAddresses: [IPAddress] {
    if spec["hostNetwork"]?.bool == true { return [] }
    let listed = (status["podIPs"]?.array ?? []).compactMap { $0["ip"]?.string }
    let addresses = listed.isEmpty ? [status["podIP"]?.string].compactMap { $0 } : listed
    return addresses.compactMap { IPAddress($0) }.filter { !$0.isLoopback }
  }
}
