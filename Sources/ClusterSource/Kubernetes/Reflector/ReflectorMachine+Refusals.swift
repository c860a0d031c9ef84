import ClusterModel

extension ReflectorMachine {
    /// Handles a refusal by an HTTP status or an event; `retryAfter` is the value of the header, if any.
    mutating func refused(
        _ status: APIStatus,
        retryAfter: Duration?,
        at now: ContinuousClock.Instant
    ) -> [Effect] {
        guard let refused = stream.take() else { return [] }
        if refused.openedAt != nil { forgive(refused, at: now) }
        let atLeast = retryAfter ?? status.retryAfterSeconds.map(RetryAfter.pause(seconds:)) ?? .zero
        if status.isVersionTooLarge {
            retry(after: backoff.lengthened(atLeast))
            return restart(.tooLarge)
        }
        switch status.code {
        case 400, 422: return refusedAsInvalid(refused.request)
        case 401:
            retry(isForServer: true)
            return [.unauthorized, .restarted(.unauthorized)] + age(at: now)
        case 403: return refusedAsForbidden(refused.request, at: now)
        case 404: return refusedAsAbsent(at: now)
        case 410:
            if case .page = position { pagesExpire = true }
            retry()
            return restart(.expired)
        case 429:
            // The server sets the earliest time; while it repeats the status, the pauses grow.
            wait(max(backoff.lengthened(atLeast), backoff.pause(after: attempts)))
            return [.restarted(.throttled)]
        case 502, 503:
            wait(max(backoff.pause(after: attempts), atLeast), isForServer: true)
            return [.restarted(.serverError)]
        case 500 where refused.isOpenWatchList:
            // An API server whose etcd is too old for watch-lists reports it in the stream.
            return refusedAsInvalid(refused.request) + [.restarted(.serverError)]
        default:
            // Status 500 is also the response to a watch from an invalid version.
            wait(max(backoff.pause(after: attempts), atLeast), isForServer: status.code >= 500)
            return restart(.serverError)
        }
    }

    private mutating func refusedAsInvalid(_ request: Request) -> [Effect] {
        if case .watchList = request {
            hasWatchLists = false
            return [.watchListRefused]
        }
        wait(backoff.pause(after: attempts))
        return restart(.serverError)
    }

    /// Handles a 403, which counts only if it lasts: a server also refuses allowed requests for a moment after its start.
    private mutating func refusedAsForbidden(_ request: Request, at now: ContinuousClock.Instant) -> [Effect] {
        if forbidden == nil { attempts = 0 }
        var episode = forbidden ?? Forbidden(since: now, verbs: [], last: request.verb)
        let isNew = episode.verbs.insert(request.verb).inserted
        episode.last = request.verb
        var effects: [Effect] = [.restarted(.forbidden)]
        if now - episode.since >= times.forbiddenNamed, !episode.isNamed || isNew {
            episode.isNamed = true
            effects.append(.forbidden(episode.verbs.sorted()))
        }
        // A client that may list but not watch lists again with each attempt, so that its objects are late but not stale.
        if episode.isNamed { position = .nothing }
        // Rights are often granted for several kinds at a time, so one grant causes retries for the other kinds.
        let time = episode.isNamed ? backoff.lengthened(times.forbiddenRetry) : backoff.pause(after: attempts)
        wait(time, isForServer: true)
        forbidden = episode
        return effects + age(at: now)
    }

    private mutating func refusedAsAbsent(at now: ContinuousClock.Instant) -> [Effect] {
        let since = absentSince ?? now
        absentSince = since
        guard now - since >= times.absentConfirmed else {
            wait(backoff.pause(after: attempts))
            return [.restarted(.absent)]
        }
        isGone = true
        return [.restarted(.absent)]
    }
}

extension ReflectorMachine.Stream {
    /// Whether the server accepted a watch-list and has not sent all initial objects yet.
    fileprivate var isOpenWatchList: Bool {
        if case .watchList = request { openedAt != nil && !isLive } else { false }
    }
}

extension APIStatus {
    /// Whether the requested version is newer than the state of this server.
    fileprivate var isVersionTooLarge: Bool {
        code == 504 || causes.contains { $0.reason == "ResourceVersionTooLarge" }
    }
}
