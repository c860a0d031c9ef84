import ClusterModel
import Logging
import Synchronization

/// The statistics and the log of the source; repeated log messages are limited.
final class SourceReport: Sendable {
    private struct State {
        var statistics: KubernetesStatistics
        var server = LastingFailure()
        /// The logged reasons why the server is unreachable.
        var reasons: Set<TransportFailure> = []
        var credentials = LastingFailure()
        var causes: [Cause: Failing] = [:]
        /// Resources that may not be read any longer and whose known objects are still used.
        var stale = Failing()
        /// Resources whose objects are not used until they are received again.
        var forgotten: Set<String> = []
        var named: Set<ObjectReference> = []
        var hasReportedLimit = false
        var discovery = LastingFailure()
    }

    /// A cause of failure that several resources may share.
    struct Cause: Hashable {
        /// The kind of failure.
        enum Kind: Hashable {
            /// The server requested a pause (429).
            case throttled
            /// The server refused for another reason.
            case refused
            /// The response is neither a list nor a watch.
            case unreadable
        }

        var kind: Kind
        /// Whether the API server itself fails, and not the Calico API server.
        var isOfServerItself: Bool
    }

    /// The resources that fail for one cause.
    fileprivate struct Failing {
        var failure = LastingFailure()
        /// The plural names of the resources.
        var resources: Set<String> = []

        var list: String { resources.sorted().joined(separator: ", ") }
    }

    /// The most unusable objects that the log names.
    static let namesLimit = 1000
    /// The most reasons that are logged during one outage of the server.
    private static let reasonsLimit = 4

    private let server: String
    private let times: KubernetesTimes
    private let logger: Logger
    private let state: Mutex<State>

    /// Creates a report with empty statistics.
    init(server: String, kinds: [ObjectKind], times: KubernetesTimes, logger: Logger) {
        self.server = server
        self.times = times
        self.logger = logger
        let statistics = KubernetesStatistics(
            kinds: Dictionary(kinds.map { ($0, KindStatistics()) }, uniquingKeysWith: { first, _ in first })
        )
        state = Mutex(State(statistics: statistics))
    }

    /// The present statistics.
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

    /// Records that there was no connection or no response; `patience` is the time that this must last to be logged.
    func unreachable(_ failure: TransportFailure, patience: Duration = .zero) {
        let (notice, isNewReason) = state.withLock { state in
            let notice = state.server.failed(at: .now, patience: patience)
            let isKnown = state.reasons.contains(failure) || state.reasons.count == Self.reasonsLimit
            if notice != nil || state.server.isLogged, !isKnown { state.reasons.insert(failure) }
            return (notice, !isKnown && notice == nil && state.server.isLogged)
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
            // A refused handshake may first look like a closed connection.
            if isNewReason {
                logger.warning("kubernetes: API server cannot be reached for another reason", metadata: about(failure))
            }
        }
    }

    /// Records any response of the server.
    ///
    /// - Returns: whether the server was unreachable before.
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

    /// Records that the server rejected the credentials.
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

    /// Records that the server accepted the credentials.
    func authorized() {
        guard case .ended(let time) = state.withLock({ $0.credentials.succeeded(at: .now) }) else { return }
        logger.info("kubernetes: API server takes the credentials again", metadata: ["after": "\(time.roughly)"])
    }

    /// Records that the server does not list its groups: for seconds after its start, or because of a missing right.
    func discoveryForbidden(_ path: String) {
        let notice = state.withLock { $0.discovery.failed(at: .now, patience: times.forbiddenNamed) }
        guard case .began = notice else { return }
        logger.warning(
            "kubernetes: discovery of the served resources is forbidden; bind the cluster role system:discovery",
            metadata: [
                "path": "\(path)", "costs": "what is not in every cluster (Calico, endpoint slices) is left out",
            ]
        )
    }

    /// Records that the server lists its groups.
    func discoveryAnswered() {
        guard case .ended(let time) = state.withLock({ $0.discovery.succeeded(at: .now) }) else { return }
        logger.info(
            "kubernetes: discovery of the served resources is permitted",
            metadata: ["after": "\(time.roughly)"]
        )
    }

    private func about(_ failure: TransportFailure) -> Logger.Metadata {
        ["server": "\(server)", "reason": "\(failure)"]
    }

    // MARK: A resource

    /// Records that rights are missing; `hasObjects` if the objects were readable before.
    func forbidden(
        _ resource: WatchedResource,
        _ candidate: WatchedResource.Candidate,
        verbs: [ReflectorMachine.Verb],
        hasObjects: Bool
    ) {
        update(resource.kind) { $0.isForbidden = true }
        var metadata: Logger.Metadata = [
            "verbs": "\(verbs.map(\.rawValue).joined(separator: ", "))",
            "resource": "\(candidate.plural)",
            "group": "\(candidate.group.isEmpty ? "\"\" (core)" : candidate.group)",
            "costs":
                "\(!hasObjects && candidate.kind.mayTurnPolicies ? resource.lossWithPolicies : resource.loss)",
        ]
        if hasObjects { metadata["until"] = "after \(times.stale.roughly) without the right" }
        logger.warning(
            hasObjects
                ? "kubernetes: right was withdrawn; what was known before is still used"
                : "kubernetes: missing right; going on without it",
            metadata: metadata
        )
    }

    /// Records that missing rights were granted.
    func permitted(_ resource: WatchedResource, _ candidate: WatchedResource.Candidate) {
        update(resource.kind) { $0.isForbidden = false }
        state.withLock { _ = $0.stale.end(candidate.plural) }
        logger.info("kubernetes: missing right was granted", metadata: about(candidate))
    }

    /// Records that known objects of a resource are used although it may not be read; logged at growing intervals.
    func stale(_ resource: WatchedResource, _ candidate: WatchedResource.Candidate) {
        let (notice, resources) = state.withLock { state -> (LastingFailure.Notice?, String) in
            // Other failures have their own reminders.
            guard state.statistics.kinds[resource.kind]?.isForbidden == true else { return (nil, "") }
            state.stale.resources.insert(candidate.plural)
            return (state.stale.failure.failed(at: .now, patience: .zero), state.stale.list)
        }
        guard case .lasts(let time) = notice else { return }
        logger.warning(
            "kubernetes: rights are still withdrawn; what was known before is still used",
            metadata: [
                "resources": "\(resources)", "for": "\(time.roughly)",
                "until": "after \(times.stale.roughly) without the right",
            ]
        )
    }

    /// Logs that the known objects of a resource are no longer used.
    func forgotten(_ resource: WatchedResource, _ candidate: WatchedResource.Candidate, after time: Duration) {
        var metadata = about(candidate)
        update(resource.kind) { statistics in
            statistics.isSynced = false
            statistics.listedObjects = 0
            metadata["reason"] = "\(statistics.lastError ?? "no answer")"
        }
        state.withLock { state in
            _ = state.stale.end(candidate.plural)
            state.forgotten.insert(candidate.plural)
        }
        let costs =
            resource.kind.decidesPolicies ? resource.lossWithPolicies : resource.loss
        metadata["unseen"] = "\(time.roughly)"
        metadata["costs"] = "\(costs)"
        logger.warning("kubernetes: objects may be wrong by now and are not used any more", metadata: metadata)
    }

    /// Records that all objects of a resource were received.
    func used(_ candidate: WatchedResource.Candidate) {
        guard state.withLock({ $0.forgotten.remove(candidate.plural) != nil }) else { return }
        logger.info("kubernetes: objects are received again and used", metadata: about(candidate))
    }

    /// Records a failure of a resource other than an outage or a missing right.
    ///
    /// Failures with the same cause are logged together.
    func failed(
        _ resource: WatchedResource,
        _ candidate: WatchedResource.Candidate,
        _ kind: Cause.Kind,
        why: String
    ) {
        let cause = Cause(kind: kind, isOfServerItself: ServerTraits.isOfServerItself(candidate.group))
        let (notice, resources) = state.withLock { state in
            state.statistics.kinds[resource.kind]?.lastError = why
            state.causes[cause, default: Failing()].resources.insert(candidate.plural)
            let notice = state.causes[cause]?.failure.failed(at: .now, patience: times.failureNamed)
            return (notice, state.causes[cause]?.list ?? "")
        }
        var metadata: Logger.Metadata = ["resources": "\(resources)", "reason": "\(why)"]
        switch notice {
        case .began:
            logger.warning(
                "kubernetes: cannot follow resources; going on with what is known of them",
                metadata: metadata
            )
        case .lasts(let time):
            metadata["for"] = "\(time.roughly)"
            logger.warning(
                "kubernetes: still cannot follow resources; running on with what is known of them",
                metadata: metadata
            )
        case .ended, nil: break
        }
    }

    /// Records that a resource is followed.
    func works(_ resource: WatchedResource, _ candidate: WatchedResource.Candidate) {
        let ended = state.withLock { state -> [Duration] in
            state.causes.keys.compactMap { cause in
                guard case .ended(let time) = state.causes[cause]?.end(candidate.plural) else { return nil }
                return time
            }
        }
        guard let time = ended.max() else { return }
        logger.info("kubernetes: resources are followed again", metadata: ["after": "\(time.roughly)"])
    }

    /// Records which group serves a resource, and logs changes.
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

    /// Records that an object is unusable.
    func unusable(_ kind: ObjectKind, _ error: ObjectIssue) {
        enum Naming { case first, limit, known }
        let naming = state.withLock { state -> Naming in
            state.statistics.kinds[kind, default: KindStatistics()].unusable += 1
            let reference = error.reference ?? ObjectReference(kind: kind, namespace: nil, name: "")
            guard !state.named.contains(reference) else { return .known }
            guard state.named.count < Self.namesLimit else {
                defer { state.hasReportedLimit = true }
                return state.hasReportedLimit ? .known : .limit
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

extension SourceReport.Failing {
    /// Records that a resource no longer fails for this cause.
    ///
    /// - Returns: the notice if it was the last one.
    fileprivate mutating func end(_ resource: String) -> LastingFailure.Notice? {
        guard resources.remove(resource) != nil, resources.isEmpty else { return nil }
        return failure.succeeded(at: .now)
    }
}
