import Synchronization

/// What was learned of a server, for all reflectors.
final class ServerTraits: Sendable {
    private let withoutWatchLists = Mutex<Set<String>>([])

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

    /// Of the groups that Weir asks for, only this one is served by a server of its own (the Calico API server).
    private static func server(of group: String) -> String {
        group == "projectcalico.org" ? group : ""
    }
}
