package import ClusterModel

/// The reason why a list or watch of the API server was interrupted.
package enum RestartReason: String, Sendable, Hashable, CaseIterable, Codable {
    /// A watch ended as HTTP has it; it goes on from its last version.
    case ended
    /// The connection was cut.
    case cut
    /// The version, or the token of a list, is too old (410).
    case expired
    /// The version is from a future that the server has not seen (504).
    case tooLarge = "too_large"
    /// A watch ended without an event, so that its version may mean nothing.
    case empty
    /// Nothing came for too long.
    case silent
    /// The answer could not be read.
    case malformed
    /// The server asked to wait (429).
    case throttled
    /// The credentials were not taken (401).
    case unauthorized
    /// A right is missing (403).
    case forbidden
    /// The resource is not there (404).
    case absent
    /// The server failed (500, 502, 503, and all other refusals).
    case serverError = "server_error"
    /// There was no connection, or no answer.
    case unreachable
}

/// The state and the numbers of one kind of object.
package struct KindStatistics: Sendable, Hashable {
    /// Whether the server is known to have the resource.
    package enum Presence: String, Sendable, Hashable, Codable {
        /// Not asked yet.
        case unknown
        /// The kind is served.
        case served
        /// The kind is not served, which is normal for kinds that not every cluster has.
        case absent
    }

    /// Group and version that it is got from, as in `projectcalico.org/v3`; nil if it is not served.
    package var apiVersion: String?
    /// Whether it is served.
    package var presence = Presence.unknown
    /// Whether all objects have been delivered at least once since the resource is served.
    package var isSynced = false
    /// Whether a right is missing.
    package var isForbidden = false
    /// The number of objects in the last complete list.
    package var listedObjects = 0
    /// Complete lists, by list or watch-list.
    package var lists = 0
    /// Watches that the server opened.
    package var watchStarts = 0
    /// Objects of lists, and events of watches, without bookmarks.
    package var events = 0
    /// Objects that could not be used.
    package var unusable = 0
    /// The number of interruptions.
    package var restarts: [RestartReason: Int] = [:]
    /// The time of the last object, event or bookmark, on the monotonic clock.
    package var lastEvent: ContinuousClock.Instant?
    /// The last error, in words.
    package var lastError: String?

    /// Begins with nothing.
    package init() {}

    /// Whether there is nothing to wait for: everything is known, or cannot be had for now.
    package var isSettled: Bool { isSynced || presence == .absent || isForbidden }
}

/// The state and the numbers of all kinds of an API server.
package struct KubernetesStatistics: Sendable, Hashable {
    /// Each kind that is followed.
    ///
    /// Endpoints count as ``ClusterModel/ObjectKind/endpointSlice``, which they stand in for.
    package var kinds: [ObjectKind: KindStatistics]
    /// Since when the server cannot be reached, on the monotonic clock; nil if it can.
    package var unreachableSince: ContinuousClock.Instant?

    /// Takes all members.
    package init(kinds: [ObjectKind: KindStatistics] = [:], unreachableSince: ContinuousClock.Instant? = nil) {
        self.kinds = kinds
        self.unreachableSince = unreachableSince
    }
}
