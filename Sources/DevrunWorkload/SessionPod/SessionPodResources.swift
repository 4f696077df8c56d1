internal import DevrunCore
internal import DevrunKube

/// The resources of the container of a session's pod: what the agent needs, within what the namespace allows.
///
/// Where the environment or a volume quotes the container's resources, the command is to see the app's, and the pod has
/// them. Extended resources (GPUs) and claims on devices stay with the app in any case.
struct SessionPodResources: Sendable {
  /// What the agent needs of a resource.
  private struct Need {
    var name: String
    var request: Quantity
    var limit: Quantity
    /// Whether the pod has it without the container's having it too.
    var isAlways: (request: Bool, limit: Bool)

    init?(_ name: String, request: String, limit: String, isAlways: (request: Bool, limit: Bool)) {
      guard let request = Quantity(request), let limit = Quantity(limit) else { return nil }
      self.name = name
      self.request = request
      self.limit = limit
      self.isAlways = isAlways
    }
  }

  /// The agent's own executable, of 13 MB, counts against the memory where it cannot be executed from a file.
  private static let needs: [Need] = [
    Need("cpu", request: "10m", limit: "250m", isAlways: (true, false)),
    Need("memory", request: "32Mi", limit: "256Mi", isAlways: (true, true)),
    Need("ephemeral-storage", request: "32Mi", limit: "256Mi", isAlways: (false, false)),
  ].compactMap { $0 }
  private static let known = Set(needs.map(\.name))

  /// `resources`
  private(set) var json: JSONValue
  /// What is left out.
  private(set) var omissions: [String] = []

  /// The resources for a container.
  ///
  /// - Parameters:
  ///   - isQuoted: whether the command can see them.
  ///   - limits: `spec.limits` of all LimitRanges.
  init(of container: Container, isQuoted: Bool, limits: [JSONValue]) {
    let own = container.json["resources"] ?? [:]
    let names = Set((own["requests"]?.object ?? [:]).keys).union((own["limits"]?.object ?? [:]).keys)
    for name in names.subtracting(Self.known).sorted() where name.contains("/") {
      omissions.append("resource \(name) is left out: it stays with the app")
    }
    for claim in own["claims"]?.array ?? [] {
      omissions.append("resource claim \(claim["name"]?.string ?? "") is left out: it stays with the app")
    }
    if isQuoted {
      json = [:]
      for part in ["requests", "limits"] {
        guard let amounts = own[part]?.object?.filter({ Self.known.contains($0.key) }), !amounts.isEmpty else {
          continue
        }
        json[part] = .object(amounts)
      }
      return
    }
    var (requests, maxima): ([String: JSONValue], [String: JSONValue]) = ([:], [:])
    for need in Self.needs {
      let hasLimit = own["limits"]?[need.name] != nil
      let hasRequest = hasLimit || own["requests"]?[need.name] != nil
      guard need.isAlways.request || hasRequest else { continue }
      let (request, limit) = Self.fitting(need, limits, needsLimit: need.isAlways.limit || hasLimit)
      requests[need.name] = .string(request.text)
      if let limit { maxima[need.name] = .string(limit.text) }
    }
    json = ["requests": .object(requests)]
    if !maxima.isEmpty { json["limits"] = .object(maxima) }
  }

  /// The amounts of a resource within the LimitRanges.
  private static func fitting(_ need: Need, _ limits: [JSONValue], needsLimit: Bool) -> (Quantity, Quantity?) {
    let relevant = limits.filter { ["Container", "Pod"].contains($0["type"]?.string) }
    func amounts(_ field: String) -> [Quantity] { relevant.compactMap { Quantity($0[field]?[need.name]) } }
    let (least, most) = (amounts("min").max(), amounts("max").min())
    // A bound on the limit demands that there is one, and so does a bound on its ratio to the request.
    let ratio = amounts("maxLimitRequestRatio").min()
    var limit = needsLimit || most != nil || ratio != nil ? need.limit : nil
    var request = need.request
    if let least { (request, limit) = (max(request, least), limit.map { max($0, least) }) }
    if let most { (request, limit) = (min(request, most), limit.map { min($0, most) }) }
    if let ratio, ratio.value >= 1, let limit, request.value * ratio.value < limit.value {
      request = Quantity(value: (limit.value / ratio.value * 1000).rounded(.up) / 1000)
    }
    return (request, limit)
  }
}
