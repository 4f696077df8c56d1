internal import DevrunTunnel
internal import Foundation

/// What became of the tunnels to one pod.
struct PodLink: Sendable {
  /// What keeps its container from running, if something does.
  var waitsFor: String?
  /// Why the last attempt to connect failed; `nil` once one has succeeded.
  var failure: String?
  /// How many tunnels there have been.
  private(set) var tunnels = 0
  /// Since when the present tunnel is up.
  private(set) var since: Date?

  private var current: Tunnel?
  private var past = Traffic()

  /// What has gone through all of them.
  var traffic: Traffic { past + (current?.traffic ?? Traffic()) }

  mutating func attach(_ tunnel: Tunnel) {
    current = tunnel
    tunnels += 1
    since = .now
    failure = nil
  }

  mutating func detach() {
    past = traffic
    current = nil
    since = nil
  }
}
