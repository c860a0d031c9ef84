package import ClusterModel

/// The reason why a list or watch of the API server was interrupted.
package enum RestartReason: String, Sendable, Hashable, CaseIterable, Codable {
    /// A watch ended normally; it continues from its last version.
    case ended
    /// The connection was interrupted.
    case cut
    /// The version, or the token of a list, is too old (410).
    case expired
    /// The version is newer than the server's state (504).
    case tooLarge = "too_large"
    /// A watch ended without an event, so that its version may be invalid.
    case empty
    /// No bytes arrived for too long.
    case silent
    /// The response was unreadable.
    case malformed
    /// The server requested a pause (429).
    case throttled
    /// The credentials were rejected (401).
    case unauthorized
    /// A right is missing (403).
    case forbidden
    /// The resource does not exist (404).
    case absent
    /// The server failed (500, 502, 503, and all other errors).
    case serverError = "server_error"
    /// There was no connection or no response.
    case unreachable
}

/// The state and the counts of one kind of object.
package struct KindStatistics: Sendable, Hashable {
    /// Whether the server has the resource.
    package enum Presence: String, Sendable, Hashable, Codable {
        /// The server was not queried yet.
        case unknown
        /// The kind is served.
        case served
        /// The kind is not served, which is normal for optional kinds.
        case absent
    }

    /// The group and version of the resource, as in `projectcalico.org/v3`; nil if it is not served.
    package var apiVersion: String?
    /// Whether the resource is served.
    package var presence = Presence.unknown
    /// Whether all objects have been delivered at least once since the resource became available.
    package var isSynced = false
    /// Whether a right is missing.
    package var isForbidden = false
    /// The number of objects in the last complete list.
    package var listedObjects = 0
    /// The number of complete lists, by list or watch-list.
    package var lists = 0
    /// The number of watches that the server opened.
    package var watchStarts = 0
    /// The number of listed objects and watch events, without bookmarks.
    package var events = 0
    /// The number of unusable objects.
    package var unusable = 0
    /// The number of interruptions by reason.
    package var restarts: [RestartReason: Int] = [:]
    /// The time of the last object, event or bookmark, on the monotonic clock.
    package var lastEvent: ContinuousClock.Instant?
    /// The last error as text.
    package var lastError: String?

    /// Creates an empty value.
    package init() {}

    /// Whether there is nothing to wait for: all objects are delivered, or unavailable for now.
    package var isSettled: Bool { isSynced || presence == .absent || isForbidden }
}

/// The state and the counts of all kinds of an API server.
package struct KubernetesStatistics: Sendable, Hashable {
    /// The followed kinds.
    ///
    /// Endpoints are counted as ``ClusterModel/ObjectKind/endpointSlice``, which they replace.
    package var kinds: [ObjectKind: KindStatistics]
    /// The time since when the server is unreachable, on the monotonic clock; nil if it is reachable.
    package var unreachableSince: ContinuousClock.Instant?

    /// Takes all members.
    package init(kinds: [ObjectKind: KindStatistics] = [:], unreachableSince: ContinuousClock.Instant? = nil) {
        self.kinds = kinds
        self.unreachableSince = unreachableSince
    }
}
