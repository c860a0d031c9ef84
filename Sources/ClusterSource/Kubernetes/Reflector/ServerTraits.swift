import Synchronization

/// The observed traits of a server, shared by all reflectors.
final class ServerTraits: Sendable {
    private let withoutWatchLists = Mutex<Set<String>>([])
    private let isAway = Mutex(false)
    private let lacksRights = Mutex(false)
    private let isUnreadable = Mutex(false)

    /// Records a failure that is typical of an outage.
    func noteFailure() {
        isAway.withLock { $0 = true }
    }

    /// Records a successful response.
    ///
    /// - Returns: whether the server is back: a request failed since the last successful response.
    func noteAnswer() -> Bool { Self.clear(isAway) }

    /// Records that the server refused a request because of a missing right.
    func noteRefusal() {
        lacksRights.withLock { $0 = true }
    }

    /// Records that the server allowed a request that it had refused before.
    ///
    /// - Returns: whether this is the first grant since the last refusal.
    func noteGrant() -> Bool { Self.clear(lacksRights) }

    /// Records a response with status 200 that is neither a list nor a watch, such as a proxy's login page.
    func noteUnreadable() {
        isUnreadable.withLock { $0 = true }
    }

    /// Records a response that is a list or a watch.
    ///
    /// - Returns: whether it is the first one since an unreadable response.
    func noteReadable() -> Bool { Self.clear(isUnreadable) }

    /// Clears a flag; returns whether it was set.
    private static func clear(_ flag: borrowing Mutex<Bool>) -> Bool {
        flag.withLock { isSet in
            defer { isSet = false }
            return isSet
        }
    }

    /// Whether watch-lists may be requested; other servers behind this one may serve a group.
    func hasWatchLists(group: String) -> Bool {
        withoutWatchLists.withLock { !$0.contains(Self.server(of: group)) }
    }

    /// Records that the server refused a watch-list.
    func refuseWatchLists(group: String) {
        withoutWatchLists.withLock { _ = $0.insert(Self.server(of: group)) }
    }

    /// Forgets the traits after an outage: the server may come back in another version.
    func forget() {
        withoutWatchLists.withLock { $0 = [] }
    }

    /// Whether a group is served by the API server itself.
    static func isOfServerItself(_ group: String) -> Bool { server(of: group).isEmpty }

    /// Returns the server of a group: of the groups that Weir uses, only the Calico API server's has a server of its own.
    private static func server(of group: String) -> String {
        group == "projectcalico.org" ? group : ""
    }
}
