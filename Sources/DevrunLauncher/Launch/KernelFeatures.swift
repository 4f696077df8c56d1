/// What newer kernels offer beyond Linux 5.9. Each is used where the kernel has it; taking one away here makes devrun do
/// as on an older kernel.
public struct KernelFeatures: OptionSet, Sendable, Hashable, Codable {
  /// The features as bits.
  public var rawValue: UInt32

  /// Features of the given bits.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// A trapped call is answered by a synchronous switch between the two processes (Linux 6.6).
  public static let synchronousWakeUp = KernelFeatures(rawValue: 2)
  /// A pidfd may stand for a thread (Linux 6.9).
  public static let threadDescriptors = KernelFeatures(rawValue: 4)
  /// A descriptor is handed to a trapped call as its result in one step (Linux 5.14).
  public static let answerByDescriptor = KernelFeatures(rawValue: 8)
  /// Sockets tell their network namespace (Linux 5.14).
  public static let namespaceCookies = KernelFeatures(rawValue: 16)

  /// All of them.
  public static let all: KernelFeatures = [
    .synchronousWakeUp, .threadDescriptors, .answerByDescriptor, .namespaceCookies,
  ]
}
