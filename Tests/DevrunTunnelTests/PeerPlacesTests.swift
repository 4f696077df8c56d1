import Testing

@testable import DevrunAgent

@Suite("Places of strangers") struct PeerPlacesTests {
  /// What becomes of connections of these peers, in this order, which are numbered from 0.
  private func decisions(_ peers: String, leaving: [Int] = []) -> [PeerPlaces<Character>.Decision] {
    var places = PeerPlaces<Character>(6, share: 4)
    return peers.enumerated().map { number, peer in
      if leaving.contains(number) { places.leave(0) }
      return places.take(number, of: peer)
    }
  }

  @Test func `A peer has its share of the places and no more`() {
    #expect(decisions("aaaaa") == [.taken, .taken, .taken, .taken, .refused])
    #expect(decisions("aaaaa", leaving: [4]).last == .taken)
  }

  @Test func `A peer without a place gets the oldest one of who has most`() {
    #expect(decisions("baaaabc") == [.taken, .taken, .taken, .taken, .taken, .taken, .instead(of: 1)])
    #expect(decisions("aabbccd").last == .instead(of: 0))
  }

  @Test func `Nobody loses a place to a peer that would have as many`() {
    #expect(decisions("abcdefg").last == .refused)
    #expect(decisions("aaabbbb").last == .refused)
  }
}
