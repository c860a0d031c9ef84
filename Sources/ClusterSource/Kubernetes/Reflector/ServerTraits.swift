import Synchronization

/// The observed traits of a server, for all reflectors.
final class ServerTraits: Sendable {
    private let withoutWatchLists = Mutex<Set<String>>([])
    private let isAway = Mutex(false)
    private let lacksRights = Mutex(false)
    private let isUnreadable = Mutex(false)

    /// Notes that a request failed as requests do while the server is away.
    func noteFailure() {
        isAway.withLock { $0 = true }
    }

    /// Notes that the server answered as it should.
    ///
    /// - Returns: whether it is back: whether a request failed since the last such answer.
    func noteAnswer() -> Bool { Self.clear(isAway) }

    /// Notes that the server refused a request for lack of rights.
    func noteRefusal() {
        lacksRights.withLock { $0 = true }
    }

    /// Notes that the server allowed a request that it had refused.
    ///
    /// - Returns: whether it is the first time since the last refusal.
    func noteGrant() -> Bool { Self.clear(lacksRights) }

    /// Notes an answer with 200 that is no list or watch: one from a proxy's login page, for example.
    func noteUnreadable() {
        isUnreadable.withLock { $0 = true }
    }

    /// Notes that the answer was a list or a watch.
    ///
    /// - Returns: whether it is the first one since an answer that was neither.
    func noteReadable() -> Bool { Self.clear(isUnreadable) }

    /// Clears a flag; returns whether it was set.
    private static func clear(_ flag: borrowing Mutex<Bool>) -> Bool {
        flag.withLock { isSet in
            defer { isSet = false }
            return isSet
        }
    }

    /// Whether watch-lists may be requested; groups may be served by other servers behind this one.
    func hasWatchLists(group: String) -> Bool {
        withoutWatchLists.withLock { !$0.contains(Self.server(of: group)) }
    }

    /// Notes that the server refused a watch-list.
    func refuseWatchLists(group: String) {
        withoutWatchLists.withLock { _ = $0.insert(Self.server(of: group)) }
    }

    /// Notes that the server went away: it may come back in another version.
    func forget() {
        withoutWatchLists.withLock { $0 = [] }
    }

    /// Whether a group is served by the API server itself.
    static func isOfServerItself(_ group: String) -> Bool { server(of: group).isEmpty }

    /// Returns the server of a group: of the groups that Weir uses, only one has a server of its own (the Calico API server).
    private static func server(of group: String) -> String {
        group == "projectcalico.org" ? group : ""
    }
}
