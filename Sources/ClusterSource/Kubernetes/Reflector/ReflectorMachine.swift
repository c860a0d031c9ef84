import ClusterModel

/// Decides which request a reflector sends next, from the events so far; a state machine without clock and I/O.
///
/// A reflector gets all objects of a resource by a watch that begins with them (watch-list), or by a list, and then
/// follows them by watches, each from the version where the last one ended. The driver sends the request of ``next()``,
/// passes back its events, and executes the effects.
struct ReflectorMachine: Sendable {
    /// A request to the server.
    enum Request: Sendable, Hashable {
        /// A watch that begins with all objects.
        case watchList(seconds: Int)
        /// A page of a list; the first one, and the whole of it unless `isPaged`, without a token.
        case list(token: String?, isPaged: Bool)
        /// A watch of the changes after a version.
        case watch(version: String, seconds: Int)

        /// The right that it needs.
        var verb: Verb {
            switch self {
            case .list: .list
            case .watchList, .watch: .watch
            }
        }
    }

    /// A right (RBAC verb).
    enum Verb: String, Sendable, Hashable, Comparable {
        case list
        case watch

        /// Compares in alphabetical order.
        static func < (left: Verb, right: Verb) -> Bool { left.rawValue < right.rawValue }
    }

    /// The next step.
    enum Step: Sendable, Hashable {
        /// Send this.
        case send(Request)
        /// Wait, and try again; with `isForServer` at the latest when the server is back.
        case wait(Duration, isForServer: Bool)
        /// The resource is not served any more.
        case gone
    }

    /// An effect of an event, beside the next step.
    enum Effect: Sendable, Hashable {
        /// The objects of a list or watch-list follow.
        case beginReplace
        /// All objects have been received.
        case endReplace
        /// The server has no watch-lists.
        case watchListRefused
        /// The credentials were rejected.
        case unauthorized
        /// These rights are missing.
        case forbidden([Verb])
        /// Missing rights have been granted.
        case permitted
        /// The known objects may be out of date: for so long, the server has not shown them.
        case stale(Duration)
        /// That has lasted for too long: known objects must not be used any more.
        case forget(Duration)
        /// The request under way would continue from them: cancel it.
        case abandon
        /// A list or watch was interrupted.
        case restarted(RestartReason)
    }

    /// An event of a watch, as far as it matters here.
    enum Event: Sendable, Hashable {
        /// An object is in another state since this version.
        case change(version: String?)
        /// All events up to this version have been delivered.
        case bookmark(version: String, isInitialEventsEnd: Bool)
        /// The bytes are not an event of a watch.
        case unreadable
        /// The watch cannot continue.
        case error(APIStatus)
    }

    /// The reaction to an event.
    enum Reaction: Sendable, Hashable {
        /// Notify the observer.
        case apply
        /// The event concerns the machine only.
        case ignore
        /// All objects have been received: end the replace.
        case endReplace
        /// Leave the stream; the next step determines how to continue.
        case stop
    }

    /// The way in which a body ended.
    enum BodyEnd: Sendable, Hashable {
        /// The end that HTTP prescribes.
        case clean
        /// The connection ended.
        case cut
        /// Nothing came for too long.
        case silent
        /// The bytes are not a list.
        case malformed
    }

    /// The state of knowledge about the objects.
    enum Position: Sendable, Hashable {
        case nothing
        case page(token: String)
        case version(String)
    }

    /// The request that is under way, and its results.
    struct Stream: Sendable {
        var request: Request
        var openedAt: ContinuousClock.Instant?
        /// Whether all initial objects have been received, so that versions count.
        var isLive: Bool
        var events = 0
        /// Whether anything came that only an API server sends.
        var isSound = false
    }

    /// Rights that are missing, from the first refusal on.
    struct Forbidden: Sendable {
        var since: ContinuousClock.Instant
        /// The refused verbs that have not been granted since.
        var verbs: Set<Verb>
        /// The verb that was refused last.
        var last: Verb
        var isNamed = false
    }

    let times: KubernetesTimes
    var backoff: Backoff
    var position = Position.nothing
    var stream: Stream?
    /// Before the next request.
    var pause: (time: Duration, isForServer: Bool)?
    /// Failed attempts in a row.
    var attempts = 0
    /// Watch-lists in a row that ended before all initial objects were received.
    var brokenWatchLists = 0
    /// Whether the token of a list expired before its last page, so that the next list is requested in one piece.
    var pagesExpire = false
    var forbidden: Forbidden?
    var absentSince: ContinuousClock.Instant?
    /// Whether the observer still has objects of this kind.
    var hasObjects = false
    /// The time since when the server answers without showing the objects.
    var staleSince: ContinuousClock.Instant?
    var isGone = false

    /// Whether the server is requested to send watch-lists.
    var hasWatchLists: Bool

    /// Begins without known objects.
    init(times: KubernetesTimes, hasWatchLists: Bool, seed: UInt64) {
        self.times = times
        self.hasWatchLists = hasWatchLists
        backoff = Backoff(first: times.backoff, longest: times.longestBackoff, seed: seed)
    }

    // MARK: The next step

    /// Returns the next step.
    mutating func next() -> Step {
        if isGone { return .gone }
        if let pause = pause.take() { return .wait(pause.time, isForServer: pause.isForServer) }
        let request = nextRequest()
        stream = Stream(request: request, isLive: request.isWatch)
        return .send(request)
    }

    private mutating func nextRequest() -> Request {
        switch position {
        case .version(let version):
            return .watch(version: version, seconds: backoff.number(in: times.watchSeconds))
        case .page(let token):
            return .list(token: token, isPaged: true)
        case .nothing:
            guard wantsWatchList else { return .list(token: nil, isPaged: !pagesExpire) }
            return .watchList(seconds: backoff.number(in: times.watchSeconds))
        }
    }

    /// Whether to send a watch-list: not where the server has none, or does not allow it, or where it was cut off repeatedly.
    private var wantsWatchList: Bool {
        hasWatchLists && brokenWatchLists < 2 && forbidden?.last != .watch
    }

    /// The longest time until the next bytes of the stream.
    var silenceLimit: Duration {
        stream?.isLive == true ? times.watchSilence : times.listIdle
    }

    /// Whether all initial objects have been received, so that further events are changes.
    var isLive: Bool { stream?.isLive == true }

    /// Whether a list, or a watch that begins with all objects, has begun and not come to its end.
    var isReplacing: Bool {
        if case .page = position { return true }
        return stream.map { $0.openedAt != nil && !$0.isLive } ?? false
    }

    /// The time from which on the known objects may not be used any more; nil while the server shows them, or may be about to.
    var limit: ContinuousClock.Instant? {
        // A granted watch shows all changes.
        let isWatched = stream.map { $0.openedAt != nil && $0.isLive } ?? false
        return hasObjects && !isWatched ? staleSince.map { $0 + times.stale } : nil
    }
}

extension ReflectorMachine.Request {
    /// Whether it is a watch of new events only.
    var isWatch: Bool {
        if case .watch = self { true } else { false }
    }
}
