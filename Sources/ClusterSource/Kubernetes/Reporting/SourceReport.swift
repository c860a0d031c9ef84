import ClusterModel
import Logging
import Synchronization

/// What the source says of itself: its statistics, and a log that is not flooded by what repeats itself.
final class SourceReport: Sendable {
    private struct State {
        var statistics: KubernetesStatistics
        var server = Trouble()
        /// Why the server cannot be reached, as far as told.
        var reasons: Set<TransportFailure> = []
        var credentials = Trouble()
        var kinds: [ObjectKind: Trouble] = [:]
        var named: Set<ObjectReference> = []
        var hasToldMore = false
        var hasToldDiscovery = false
    }

    /// As many objects that cannot be used are told apart.
    static let namesLimit = 1000
    /// As many reasons why the server cannot be reached are told, until it is back.
    private static let reasonsLimit = 4

    private let server: String
    private let times: KubernetesTimes
    private let logger: Logger
    private let state: Mutex<State>

    /// Begins with nothing known of any kind.
    init(server: String, kinds: [ObjectKind], times: KubernetesTimes, logger: Logger) {
        self.server = server
        self.times = times
        self.logger = logger
        let statistics = KubernetesStatistics(
            kinds: Dictionary(kinds.map { ($0, KindStatistics()) }, uniquingKeysWith: { first, _ in first })
        )
        state = Mutex(State(statistics: statistics))
    }

    /// The statistics as they are.
    var statistics: KubernetesStatistics {
        state.withLock { state in
            var statistics = state.statistics
            statistics.unreachableSince = state.server.failingSince
            return statistics
        }
    }

    /// Changes the statistics of a kind.
    func update(_ kind: ObjectKind, _ change: (inout KindStatistics) -> Void) {
        state.withLock { change(&$0.statistics.kinds[kind, default: KindStatistics()]) }
    }

    // MARK: The server

    /// There was no connection, or no answer; `patience` is how long that must last to be told.
    func unreachable(_ failure: TransportFailure, patience: Duration = .zero) {
        let (notice, isNewReason) = state.withLock { state in
            let notice = state.server.failed(at: .now, patience: patience)
            let isKnown = state.reasons.contains(failure) || state.reasons.count == Self.reasonsLimit
            if notice != nil || state.server.isTold, !isKnown { state.reasons.insert(failure) }
            return (notice, !isKnown && notice == nil && state.server.isTold)
        }
        switch notice {
        case .began:
            logger.warning(
                "kubernetes: API server cannot be reached; going on with what is known",
                metadata: about(failure)
            )
        case .lasts(let time):
            logger.warning(
                "kubernetes: API server still cannot be reached; running on with what is known",
                metadata: about(failure).merging(["for": "\(time.roughly)"]) { $1 }
            )
        case .ended, nil:
            // A refused handshake may at first look like a connection that was closed.
            if isNewReason {
                logger.warning("kubernetes: API server cannot be reached for another reason", metadata: about(failure))
            }
        }
    }

    /// The server answered something.
    ///
    /// - Returns: whether it could not be reached before.
    func reached() -> Bool {
        let (wasAway, notice) = state.withLock { state in
            state.reasons = []
            return (state.server.failingSince != nil, state.server.succeeded(at: .now))
        }
        if case .ended(let time) = notice {
            logger.info(
                "kubernetes: API server is back",
                metadata: ["server": "\(server)", "after": "\(time.roughly)"]
            )
        }
        return wasAway
    }

    /// The credentials were not taken.
    func unauthorized(as user: String) {
        let metadata: Logger.Metadata = ["server": "\(server)", "credentials": "\(user)"]
        switch state.withLock({ $0.credentials.failed(at: .now, patience: times.forbiddenNamed) }) {
        case .began:
            logger.error("kubernetes: API server does not take the credentials (401); renew them", metadata: metadata)
        case .lasts(let time):
            logger.error(
                "kubernetes: API server still does not take the credentials (401); running on with what is known",
                metadata: metadata.merging(["for": "\(time.roughly)"]) { $1 }
            )
        case .ended, nil: break
        }
    }

    /// The credentials were taken.
    func authorized() {
        guard case .ended(let time) = state.withLock({ $0.credentials.succeeded(at: .now) }) else { return }
        logger.info("kubernetes: API server takes the credentials again", metadata: ["after": "\(time.roughly)"])
    }

    /// The server does not say which groups it has.
    func discoveryForbidden(_ path: String) {
        let isNews = state.withLock { state in
            defer { state.hasToldDiscovery = true }
            return !state.hasToldDiscovery
        }
        guard isNews else { return }
        logger.warning(
            "kubernetes: may not ask which resources are served; bind the cluster role system:discovery",
            metadata: [
                "path": "\(path)", "costs": "what is not in every cluster (Calico, endpoint slices) is left out",
            ]
        )
    }

    private func about(_ failure: TransportFailure) -> Logger.Metadata {
        ["server": "\(server)", "reason": "\(failure)"]
    }

    // MARK: A resource

    /// Rights are missing.
    func forbidden(_ resource: WatchedResource, _ candidate: WatchedResource.Candidate, verbs: [ReflectorMachine.Verb])
    {
        update(resource.kind) { $0.isForbidden = true }
        logger.warning(
            "kubernetes: missing right; going on without it",
            metadata: [
                "verbs": "\(verbs.map(\.rawValue).joined(separator: ", "))",
                "resource": "\(candidate.plural)",
                "group": "\(candidate.group.isEmpty ? "\"\" (core)" : candidate.group)",
                "costs": "\(resource.loss)",
            ]
        )
    }

    /// Rights that were missing are there.
    func permitted(_ resource: WatchedResource, _ candidate: WatchedResource.Candidate) {
        update(resource.kind) { $0.isForbidden = false }
        logger.info("kubernetes: missing right was granted", metadata: about(candidate))
    }

    /// A resource fails for some other reason than the connection.
    func failed(_ resource: WatchedResource, _ candidate: WatchedResource.Candidate, why: String) {
        let notice = state.withLock { state in
            state.statistics.kinds[resource.kind]?.lastError = why
            return state.kinds[resource.kind, default: Trouble()].failed(at: .now, patience: times.troubleNamed)
        }
        switch notice {
        case .began:
            logger.warning(
                "kubernetes: cannot follow a resource; going on with what is known of it",
                metadata: about(candidate).merging(["reason": "\(why)"]) { $1 }
            )
        case .lasts(let time):
            logger.warning(
                "kubernetes: still cannot follow a resource; running on with what is known of it",
                metadata: about(candidate).merging(["reason": "\(why)", "for": "\(time.roughly)"]) { $1 }
            )
        case .ended, nil: break
        }
    }

    /// A resource is followed.
    func works(_ resource: WatchedResource, _ candidate: WatchedResource.Candidate) {
        guard case .ended(let time) = state.withLock({ $0.kinds[resource.kind]?.succeeded(at: .now) }) else { return }
        logger.info(
            "kubernetes: resource is followed again",
            metadata: about(candidate).merging(["after": "\(time.roughly)"]) { $1 }
        )
    }

    /// A resource that was not served is, or the other way round, or another group serves it.
    func presence(_ resource: WatchedResource, _ candidate: WatchedResource.Candidate?) {
        let previous = state.withLock { state in
            var kind = state.statistics.kinds[resource.kind] ?? KindStatistics()
            defer { state.statistics.kinds[resource.kind] = kind }
            let previous = (kind.presence, kind.apiVersion)
            kind.presence = candidate == nil ? .absent : .served
            kind.apiVersion = candidate?.apiVersion
            if previous != (kind.presence, kind.apiVersion) {
                kind.isSynced = false
                kind.isForbidden = false
                kind.listedObjects = 0
            }
            return previous
        }
        guard previous.0 != .unknown, previous.1 != candidate?.apiVersion else { return }
        if let candidate {
            logger.info("kubernetes: resource is served now", metadata: about(candidate))
        } else {
            logger.info("kubernetes: resource is not served any more", metadata: ["kind": "\(resource.kind.rawValue)"])
        }
    }

    /// An object cannot be used.
    func unusable(_ kind: ObjectKind, _ error: ObjectError) {
        enum Naming { case first, limit, known }
        let naming = state.withLock { state -> Naming in
            state.statistics.kinds[kind, default: KindStatistics()].unusable += 1
            let reference = error.reference ?? ObjectReference(kind: kind, namespace: nil, name: "")
            guard !state.named.contains(reference) else { return .known }
            guard state.named.count < Self.namesLimit else {
                defer { state.hasToldMore = true }
                return state.hasToldMore ? .known : .limit
            }
            state.named.insert(reference)
            return .first
        }
        switch naming {
        case .first:
            let name = error.reference?.description ?? kind.rawValue
            logger.warning(
                "kubernetes: object cannot be used; going on without it",
                metadata: ["object": "\(name)", "reason": "\(error)"]
            )
        case .limit: logger.warning("kubernetes: more objects cannot be used; they are counted and not named")
        case .known: break
        }
    }

    private func about(_ candidate: WatchedResource.Candidate) -> Logger.Metadata {
        ["resource": "\(candidate.plural)", "version": "\(candidate.apiVersion)"]
    }
}
