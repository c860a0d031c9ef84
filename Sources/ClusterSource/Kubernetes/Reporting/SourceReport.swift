import ClusterModel
import Logging
import Synchronization

/// The statistics of the source, and its log, in which repetitions are limited.
final class SourceReport: Sendable {
    private struct State {
        var statistics: KubernetesStatistics
        var server = LastingFailure()
        /// The reasons why the server cannot be reached that were logged.
        var reasons: Set<TransportFailure> = []
        var credentials = LastingFailure()
        var causes: [Cause: Failing] = [:]
        /// Resources that may not be read any more, and whose known objects are still used.
        var stale = Failing()
        /// Resources whose objects are not used any more, until they are received again.
        var forgotten: Set<String> = []
        var named: Set<ObjectReference> = []
        var hasReportedLimit = false
        var discovery = LastingFailure()
    }

    /// The common cause for which several resources fail.
    struct Cause: Hashable {
        /// The kind of failure.
        enum Kind: Hashable {
            /// The server requests a pause (429).
            case throttled
            /// The server refuses in some other way.
            case refused
            /// The answer is neither a list nor a watch.
            case unreadable
        }

        var kind: Kind
        /// Whether the API server itself fails, and not the Calico API server.
        var isOfServerItself: Bool
    }

    /// The resources that fail for one cause.
    fileprivate struct Failing {
        var failure = LastingFailure()
        /// The names in the plural.
        var resources: Set<String> = []

        var list: String { resources.sorted().joined(separator: ", ") }
    }

    /// The most unusable objects that are named in the log.
    static let namesLimit = 1000
    /// The most reasons for an unreachable server that are logged until it is back.
    private static let reasonsLimit = 4

    private let server: String
    private let times: KubernetesTimes
    private let logger: Logger
    private let state: Mutex<State>

    /// Begins without knowledge of any kind.
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

    /// Notes that there was no connection, or no answer; `patience` is the time that this must last to be logged.
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
            // A refused handshake may at first look like a connection that was closed.
            if isNewReason {
                logger.warning("kubernetes: API server cannot be reached for another reason", metadata: about(failure))
            }
        }
    }

    /// Notes that the server answered something.
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

    /// Notes that the credentials were rejected.
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

    /// Notes that the credentials were accepted.
    func authorized() {
        guard case .ended(let time) = state.withLock({ $0.credentials.succeeded(at: .now) }) else { return }
        logger.info("kubernetes: API server takes the credentials again", metadata: ["after": "\(time.roughly)"])
    }

    /// Notes that the server does not list its groups: for some seconds after its start, or because a right is missing.
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

    /// Notes that the server lists its groups.
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

    /// Notes that rights are missing; `hasObjects` if they were there before.
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

    /// Notes that missing rights have been granted.
    func permitted(_ resource: WatchedResource, _ candidate: WatchedResource.Candidate) {
        update(resource.kind) { $0.isForbidden = false }
        state.withLock { _ = $0.stale.end(candidate.plural) }
        logger.info("kubernetes: missing right was granted", metadata: about(candidate))
    }

    /// Notes that known objects of a resource are used although it may not be read any more; logged again in growing periods.
    func stale(_ resource: WatchedResource, _ candidate: WatchedResource.Candidate) {
        let (notice, resources) = state.withLock { state -> (LastingFailure.Notice?, String) in
            // Other failures have reminders of their own.
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

    /// Logs that the known objects of a resource are not used any more.
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

    /// Notes that all objects of a resource were received.
    func used(_ candidate: WatchedResource.Candidate) {
        guard state.withLock({ $0.forgotten.remove(candidate.plural) != nil }) else { return }
        logger.info("kubernetes: objects are received again and used", metadata: about(candidate))
    }

    /// Notes that a resource fails for some other reason than the connection or a missing right; failures with one cause are
    /// logged together.
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

    /// Notes that a resource is followed.
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

    /// Notes that a resource that was not served is, or the other way round, or that another group serves it.
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

    /// Notes that an object cannot be used.
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
    /// Notes that a resource does not fail for this cause any more.
    ///
    /// - Returns: the message if it was the last one.
    fileprivate mutating func end(_ resource: String) -> LastingFailure.Notice? {
        guard resources.remove(resource) != nil, resources.isEmpty else { return nil }
        return failure.succeeded(at: .now)
    }
}
