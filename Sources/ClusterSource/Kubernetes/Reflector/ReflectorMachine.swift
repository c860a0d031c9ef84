import ClusterModel

/// A state machine without clock and I/O that decides the next request of a reflector from the events so far.
///
/// A reflector receives all objects of a resource by a watch that begins with them (watch-list), or by a list. Then it
/// follows them by watches, each from the version at which the last one ended. The driver sends the request of
/// ``next()``, passes back its events, and executes the effects.
struct ReflectorMachine: Sendable {
    /// A request to the server.
    enum Request: Sendable, Hashable {
        /// A watch that begins with all objects.
        case watchList(seconds: Int)
        /// A page of a list; the first page without a token.
        ///
        /// The whole list unless `isPaged`.
        case list(token: String?, isPaged: Bool)
        /// A watch of the changes after a version.
        case watch(version: String, seconds: Int)

        /// The right that the request needs.
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
        /// Send this request.
        case send(Request)
        /// Wait, and try again; with `isForServer`, no longer than until the server is back.
        case wait(Duration, isForServer: Bool)
        /// The resource is no longer served.
        case gone
    }

    /// An effect of an event, besides the next step.
    enum Effect: Sendable, Hashable {
        /// The objects of a list or watch-list follow.
        case beginReplace
        /// All objects have been received.
        case endReplace
        /// The server does not support watch-lists.
        case watchListRefused
        /// The credentials were rejected.
        case unauthorized
        /// These rights are missing.
        case forbidden([Verb])
        /// Missing rights have been granted.
        case permitted
        /// The known objects may be outdated: the server has not sent them for this time.
        case stale(Duration)
        /// The time limit for outdated objects has passed: they must not be used any longer.
        case forget(Duration)
        /// Cancel the current request, because it would continue from the forgotten objects.
        case abandon
        /// A list or watch was interrupted.
        case restarted(RestartReason)
    }

    /// An event of a watch, reduced to the parts that the machine needs.
    enum Event: Sendable, Hashable {
        /// An object changed at this version.
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
        /// The event concerns only the machine.
        case ignore
        /// All objects have been received: end the replace.
        case endReplace
        /// Leave the stream; the next step decides how to continue.
        case stop
    }

    /// The way in which a body ended.
    enum BodyEnd: Sendable, Hashable {
        /// The body ended normally.
        case clean
        /// The connection was interrupted.
        case cut
        /// No bytes arrived for too long.
        case silent
        /// The body is not a list or watch.
        case malformed
    }

    /// The position from which the next request continues.
    enum Position: Sendable, Hashable {
        case nothing
        case page(token: String)
        case version(String)
    }

    /// The current request and its results.
    struct Stream: Sendable {
        var request: Request
        var openedAt: ContinuousClock.Instant?
        /// Whether all initial objects have been received, so that versions are valid.
        var isLive: Bool
        var events = 0
        /// Whether anything was received that only an API server sends.
        var isSound = false
    }

    /// The rights that are missing since the first refusal.
    struct Forbidden: Sendable {
        var since: ContinuousClock.Instant
        /// The refused verbs that have not been granted since then.
        var verbs: Set<Verb>
        /// The verb that was refused last.
        var last: Verb
        var isNamed = false
    }

    let times: KubernetesTimes
    var backoff: Backoff
    var position = Position.nothing
    var stream: Stream?
    /// The pause before the next request.
    var pause: (time: Duration, isForServer: Bool)?
    /// The number of consecutive failed attempts.
    var attempts = 0
    /// The number of consecutive watch-lists that ended before all initial objects were received.
    var brokenWatchLists = 0
    /// Whether a list token expired before the last page, so that the next list is requested without pages.
    var pagesExpire = false
    var forbidden: Forbidden?
    var absentSince: ContinuousClock.Instant?
    /// Whether the observer still has objects of this kind.
    var hasObjects = false
    /// The time since when the server responds without the objects.
    var staleSince: ContinuousClock.Instant?
    var isGone = false

    /// Whether watch-lists are requested.
    var hasWatchLists: Bool

    /// Creates a machine without known objects.
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
            guard usesWatchList else { return .list(token: nil, isPaged: !pagesExpire) }
            return .watchList(seconds: backoff.number(in: times.watchSeconds))
        }
    }

    /// Whether to send a watch-list: the server supports and allows it, and did not repeatedly cut it off.
    private var usesWatchList: Bool {
        hasWatchLists && brokenWatchLists < 2 && forbidden?.last != .watch
    }

    /// The longest time until the next bytes of the stream.
    var silenceLimit: Duration {
        stream?.isLive == true ? times.watchSilence : times.listIdle
    }

    /// Whether all initial objects have been received, so that further events are changes.
    var isLive: Bool { stream?.isLive == true }

    /// Whether a list or watch-list has begun and not ended.
    var isReplacing: Bool {
        if case .page = position { return true }
        return stream.map { $0.openedAt != nil && !$0.isLive } ?? false
    }

    /// The time from which on the known objects must not be used; nil while the server sends them or a watch follows them.
    var limit: ContinuousClock.Instant? {
        // An open watch delivers all changes.
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
