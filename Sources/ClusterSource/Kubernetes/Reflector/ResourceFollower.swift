import ClusterModel

/// Follows a resource while the source runs, and selects the group that serves it, again after each change.
struct ResourceFollower {
    private let resource: WatchedResource
    private let context: ReflectorContext
    private let discovery: Discovery
    private var backoff: Backoff
    /// The kind whose objects were delivered to the observer.
    private var shown: ObjectKind?
    private var unavailableSince: ContinuousClock.Instant?

    /// The result of a query.
    private enum Finding {
        case served(Int)
        case absent
        /// The result is unknown for now.
        case unknown
    }

    /// Takes the resource to follow.
    init(_ resource: WatchedResource, context: ReflectorContext, discovery: Discovery) {
        self.resource = resource
        self.context = context
        self.discovery = discovery
        backoff = Backoff(
            first: context.times.backoff,
            longest: context.times.longestBackoff,
            seed: .random(in: 0...UInt64.max)
        )
    }

    /// Follows the resource until the task is cancelled.
    mutating func run() async {
        var attempts = 0
        var wakes = context.sleeper.wakes
        while !Task.isCancelled {
            let now = context.sleeper.wakes
            if now != wakes {
                wakes = now
                attempts = 0
                await context.sleeper.sleep(for: backoff.upTo(context.times.comeback))
            }
            switch await find() {
            case .served(let index):
                attempts = 0
                await follow(index)
            case .absent:
                await show(nil)
                context.report.presence(resource, nil)
                attempts = 0
                await context.sleeper.sleep(until: discovery.nextRound())
            case .unknown:
                let pause = backoff.pause(after: attempts)
                await context.sleeper.sleep(for: pause, isForServer: true, since: wakes)
                attempts += 1
            }
        }
    }

    // MARK: Finding

    private mutating func find() async -> Finding {
        for (index, candidate) in resource.candidates.enumerated() {
            if candidate.isAlwaysServed { return .served(index) }
            switch await discovery.ask(candidate.groupVersion) {
            case .served(let names) where names.contains(candidate.plural):
                unavailableSince = nil
                return .served(index)
            case .served, .absent, .forbidden: continue
            case .failed: return .unknown
            case .unavailable(let reason):
                context.report.update(resource.kind) { $0.lastError = reason }
                let since = unavailableSince ?? .now
                unavailableSince = since
                // The other version of the group has the same objects.
                if index + 1 < resource.candidates.count, .now - since >= context.times.unavailable { continue }
                return .unknown
            }
        }
        return .absent
    }

    // MARK: Following

    /// Follows one candidate until it is gone, or a better one is served.
    private mutating func follow(_ index: Int) async {
        let candidate = resource.candidates[index]
        context.report.presence(resource, candidate)
        await show(candidate.kind)
        let better = resource.candidates[..<index]
        await withTaskGroup(of: Void.self) { [resource, context, discovery] group in
            group.addTask { await Reflector(resource, candidate, context: context).run() }
            if !better.isEmpty {
                group.addTask { await Self.wait(for: better, discovery: discovery, context: context) }
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// Returns when one of the candidates is served.
    private static func wait(
        for candidates: ArraySlice<WatchedResource.Candidate>,
        discovery: Discovery,
        context: ReflectorContext
    ) async {
        while !Task.isCancelled {
            await context.sleeper.sleep(until: discovery.nextRound())
            for candidate in candidates where !Task.isCancelled {
                guard case .served(let names) = await discovery.ask(candidate.groupVersion) else { continue }
                if names.contains(candidate.plural) { return }
            }
        }
    }

    /// Removes the objects of the delivered kind from the observer if the kind changes.
    private mutating func show(_ kind: ObjectKind?) async {
        guard shown != kind else { return }
        if let shown { await context.delivery.deliver([.beginReplace(shown), .endReplace(shown)]) }
        shown = kind
    }
}

extension WatchedResource.Candidate {
    /// The group and version that are queried to find out whether the candidate is served.
    fileprivate var groupVersion: Discovery.GroupVersion {
        Discovery.GroupVersion(group: group, version: version)
    }
}
