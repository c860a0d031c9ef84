import Synchronization

/// What was learned of a server, for all reflectors.
final class ServerTraits: Sendable {
    private let withoutWatchLists = Mutex<Set<String>>([])
    private let isAway = Mutex(false)

    /// A request failed as requests do while the server is away.
    func noteFailure() {
        isAway.withLock { $0 = true }
    }

    /// The server answered as it should.
    ///
    /// - Returns: whether it is back: whether a request failed since the last such answer.
    func noteAnswer() -> Bool {
        isAway.withLock { isAway in
            defer { isAway = false }
            return isAway
        }
    }

    /// Whether watch-lists may be asked for; groups may be served by other servers behind this one.
    func hasWatchLists(group: String) -> Bool {
        withoutWatchLists.withLock { !$0.contains(Self.server(of: group)) }
    }

    /// The server refused a watch-list.
    func refuseWatchLists(group: String) {
        withoutWatchLists.withLock { _ = $0.insert(Self.server(of: group)) }
    }

    /// The server went away: it may come back in another version.
    func forget() {
        withoutWatchLists.withLock { $0 = [] }
    }

    /// Whether a group is served by the API server itself.
    static func isOfServerItself(_ group: String) -> Bool { server(of: group).isEmpty }

    /// Of the groups that Weir asks for, only this one is served by a server of its own (the Calico API server).
    private static func server(of group: String) -> String {
        group == "projectcalico.org" ? group : ""
    }
}
