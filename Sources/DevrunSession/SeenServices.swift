internal import DevrunCore
internal import DevrunKube
internal import DevrunSystem
internal import DevrunView

/// The cluster's services that the command can name, and the addresses of pods. Both are read at once while the session's
/// pod starts: where there are thousands, that takes about as long.
struct SeenServices: Sendable {
  /// Follows them.
  var watch: ServiceWatch
  /// What there was at the start, or why it cannot be read.
  private let listed = Latch<Result<ServiceWatch.Listing, any Error>>()
  /// The addresses of pods, as soon as they are read.
  let addresses = Latch<AddressListing>()

  /// How long the command waits for the addresses of pods once all else is ready.
  static let patience: Duration = .seconds(2)

  /// Services that are yet to be read.
  init(watch: ServiceWatch) { self.watch = watch }

  /// Begins to read them.
  func read(in context: SessionContext) async {
    let (watch, listed, addresses, reporter) = (watch, listed, addresses, context.reporter)
    let patience = Patience.ofTheFirstLook(context)
    await context.services.inBackground("listing the services") {
      let scopes = Latch<[String?]>()
      // Beside the services. It is cancelled if those cannot be read.
      async let reading: Void = {
        guard let scopes = await scopes.wait() else { return }
        addresses.set(await watch.listAddresses(in: scopes, reporter: reporter))
      }()
      let listing: ServiceWatch.Listing
      do {
        listing = try await patience.persist { try await watch.list { scopes.set($0) } }
      } catch {
        listed.set(.failure(error))
        return
      }
      if !listing.omitted.isEmpty {
        let names = listing.omitted.joined(separator: ", ")
        reporter.report(.detail("services of these namespaces are left out: \(names)"))
      }
      listed.set(.success(listing))
      await reading
    }
  }

  /// What there was at the start, as soon as it is read.
  ///
  /// - Throws: `KubeError`, `CancellationError`
  func listing() async throws -> ServiceWatch.Listing {
    guard let listed = await listed.wait() else { throw CancellationError() }
    return try listed.get()
  }

  /// The addresses of pods; `nil` if they are not read in time. They are followed in any case.
  func addressesInTime(_ limit: Duration = Self.patience, reporter: any Reporter) async -> AddressListing? {
    if let known = await addresses.wait(for: limit) { return known }
    reporter.report(.detail("the addresses of pods are not known yet: the command begins without them"))
    return nil
  }
}
