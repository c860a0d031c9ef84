import ClusterModel

extension ReflectorMachine {
    // MARK: Events

    /// Handles a request without a response.
    mutating func failed(_ failure: TransportFailure, at now: ContinuousClock.Instant) -> [Effect] {
        stream = nil
        switch failure {
        case .cancelled: return []
        case .cut:
            retry(isForServer: true)
            return [.restarted(.cut)]
        case .unreachable, .untrusted, .unanswered:
            // The time without a connection does not count.
            if case .unreachable = failure { staleSince = nil }
            wait(backoff.pause(after: attempts), isForServer: true)
            return [.restarted(.unreachable)]
        }
    }

    /// Handles the header of a successful response; its body follows.
    mutating func opened(at now: ContinuousClock.Instant) -> [Effect] {
        guard let request = stream?.request else { return [] }
        stream?.openedAt = now
        absentSince = nil
        var effects = permitted(request.verb)
        switch request {
        case .watchList, .list(token: nil, _): effects.append(.beginReplace)
        case .list, .watch: break
        }
        return effects
    }

    private mutating func permitted(_ verb: Verb) -> [Effect] {
        guard var episode = forbidden else { return [] }
        episode.verbs.remove(verb)
        // A client that may watch needs no other right.
        guard verb == .watch || episode.verbs.isEmpty else {
            forbidden = episode
            return []
        }
        forbidden = nil
        attempts = 0
        return episode.isNamed ? [.permitted] : []
    }

    /// Handles an event of a watch.
    mutating func received(_ event: Event, at now: ContinuousClock.Instant) -> (reaction: Reaction, effects: [Effect]) {
        guard let sound = stream?.isSound else { return (.ignore, []) }
        if event == .unreadable {
            // One unreadable line among others may be ignored; a body that begins with one is not a watch.
            return sound ? (.ignore, []) : (.stop, ended(.malformed, at: now))
        }
        if !event.isError { noteProof() }
        switch event {
        case .change(let version):
            if isLive {
                stream?.events += 1
                if let version, !version.isEmpty { position = .version(version) }
            }
            return (.apply, [])
        case .bookmark(let version, let isInitialEventsEnd):
            guard isLive || isInitialEventsEnd else { return (.ignore, []) }
            if !version.isEmpty { position = .version(version) }
            stream?.events += 1
            guard !isLive else { return (.ignore, []) }
            stream?.isLive = true
            brokenWatchLists = 0
            hasObjects = true
            return (.endReplace, [])
        case .unreadable: return (.ignore, [])
        case .error(let status):
            return (.stop, refused(status, retryAfter: nil, at: now))
        }
    }

    /// Records the arrival of something that only an API server sends for this resource.
    private mutating func noteProof() {
        stream?.isSound = true
        staleSince = nil
    }

    /// Handles the end of a page of a list.
    mutating func listed(_ end: ListEnd, at now: ContinuousClock.Instant) -> [Effect] {
        if let token = end.continueToken, !token.isEmpty {
            stream = nil
            position = .page(token: token)
            return []
        }
        guard let version = end.resourceVersion, !version.isEmpty else { return ended(.malformed, at: now) }
        stream = nil
        position = .version(version)
        pagesExpire = false
        brokenWatchLists = 0
        hasObjects = true
        staleSince = nil
        return [.endReplace]
    }

    /// Handles the end of a body.
    mutating func ended(_ end: BodyEnd, at now: ContinuousClock.Instant) -> [Effect] {
        guard let ended = stream.take() else { return [] }
        let lasted = ended.openedAt.map { now - $0 >= times.steady } ?? false
        if ended.isLive, lasted, end != .malformed { staleSince = nil }
        let aging = end == .malformed || !ended.isSound && !lasted ? age(at: now) : []
        guard ended.isLive else { return endedEarly(ended, end) + aging }
        forgive(ended, at: now)
        retry(isForServer: !ended.isSound)
        return endedLive(ended, end) + aging
    }

    private mutating func endedLive(_ ended: Stream, _ end: BodyEnd) -> [Effect] {
        switch end {
        // The server does not have this version yet; a client that only continued would never detect that.
        case .clean where ended.events == 0: return restart(.empty)
        case .silent: return restart(.silent)
        case .malformed: return restart(.malformed)
        case .clean: return [.restarted(.ended)]
        case .cut: return [.restarted(.cut)]
        }
    }

    /// Handles the early end of a list, or of the initial objects of a watch-list.
    private mutating func endedEarly(_ ended: Stream, _ end: BodyEnd) -> [Effect] {
        retry(isForServer: !ended.isSound)
        guard case .watchList = ended.request else {
            if end == .malformed { position = .nothing }
            return [.restarted(end == .silent ? .silent : end == .malformed ? .malformed : .cut)]
        }
        brokenWatchLists += 1
        // Older servers treat a watch-list like a watch, and never mark the end of the initial objects.
        guard end == .silent else { return restart(end == .malformed ? .malformed : .cut) }
        hasWatchLists = false
        return restart(.silent) + [.watchListRefused]
    }

    /// Starts over, because there is no version to continue from.
    mutating func restart(_ reason: RestartReason) -> [Effect] {
        position = .nothing
        return [.restarted(reason)]
    }

    /// Handles a response without the objects: the known objects become stale.
    mutating func age(at now: ContinuousClock.Instant) -> [Effect] {
        guard hasObjects else { return [] }
        let since = staleSince ?? now
        staleSince = since
        guard now - since >= times.stale else { return now > since ? [.stale(now - since)] : [] }
        return forget(after: now - since)
    }

    /// Handles the expiry of ``limit``, during a pause or a request.
    mutating func expired(at now: ContinuousClock.Instant) -> [Effect] {
        guard let limit, now >= limit, let since = staleSince else { return [] }
        return forget(after: now - since) + (stream?.request.isWatch == true ? [.abandon] : [])
    }

    private mutating func forget(after time: Duration) -> [Effect] {
        hasObjects = false
        position = .nothing
        return [.forget(time)]
    }

    // MARK: Pauses

    /// Handles a response of the server after an outage, to this reflector or another one.
    ///
    /// Earlier failures no longer delay the next attempt. A pause that the server requested stays; otherwise the next
    /// attempt comes soon, at a random time that differs from those of other resources.
    mutating func serverIsBack() {
        attempts = 0
        if let pause, !pause.isForServer { return }
        pause = (backoff.upTo(times.comeback), false)
    }

    /// Handles a response of the server to this reflector after an outage.
    ///
    /// Earlier failures do not lengthen the pauses after this response.
    mutating func serverAnswered() {
        attempts = 0
    }

    /// Retries at once after the first failure, and after growing pauses later.
    mutating func retry(after atLeast: Duration = .zero, isForServer: Bool = false) {
        let time = attempts == 0 ? .zero : backoff.pause(after: attempts - 1)
        wait(max(time, atLeast), isForServer: isForServer)
    }

    /// Waits before the next attempt.
    mutating func wait(_ time: Duration, isForServer: Bool = false) {
        attempts += 1
        pause = time > .zero ? (time, isForServer) : nil
    }

    /// Resets the failures if the stream lasted long or delivered events, even though it has ended.
    mutating func forgive(_ ended: Stream, at now: ContinuousClock.Instant) {
        if let openedAt = ended.openedAt, now - openedAt >= times.steady {
            attempts = 0
        } else if ended.events > 0 {
            attempts = min(attempts, 1)
        }
    }
}

extension ReflectorMachine.Event {
    /// Whether the event reports that the server cannot continue the watch.
    fileprivate var isError: Bool {
        if case .error = self { true } else { false }
    }
}
