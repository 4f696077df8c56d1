internal import DevrunTunnel
internal import Foundation

/// What became of the tunnels to one pod.
struct PodLink: Sendable {
  /// What keeps its container from running, if something does.
  var waitsFor: String?
  /// Why the last attempt to connect failed; `nil` once one has succeeded.
  var failure: String?
  /// What keeps the pod from being ready though its container runs, if something does.
  var unreadiness: String?
  /// How many tunnels there have been.
  private(set) var tunnels = 0
  /// Since when the present tunnel is up.
  private(set) var since: Date?

  private var current: Tunnel?
  private var past = Traffic()

  /// What the pod waits for; `nil` while a tunnel is up.
  var problem: String? { since == nil ? waitsFor ?? failure : nil }

  /// What has gone through all of them.
  var traffic: Traffic { past + (current?.traffic ?? Traffic()) }

  mutating func attach(_ tunnel: Tunnel) {
    current = tunnel
    tunnels += 1
    since = .now
    failure = nil
  }

  /// A tunnel is over. A pod that came anew under the same name may have another tunnel already, which stays.
  mutating func detach(_ tunnel: Tunnel) {
    guard current === tunnel else { return }
    past = traffic
    current = nil
    since = nil
  }
}
