import AsyncHTTPClient
import ClusterModel
import NIOCore

/// Executes the requests and effects of a ``ReflectorMachine`` for a resource.
actor Reflector {
    private let resource: WatchedResource
    private let candidate: WatchedResource.Candidate
    private let context: ReflectorContext
    var machine: ReflectorMachine
    /// The value of ``Sleeper/wakes`` when it was last read.
    private var wakes: Int
    /// Changes that are not yet delivered to the observer.
    private var changes: [ClusterChange] = []
    private var deliveredAt = ContinuousClock.now
    /// Verbs that are forbidden and were never allowed, until they are reported.
    private var neverAllowed: [ReflectorMachine.Verb]?
    /// The number of objects since the last `beginReplace`.
    private(set) var listed = 0
    /// The task of the current request.
    private var attempt: Task<Void, Never>?
    /// The timer for the limit of known objects.
    var limitAlarm: Task<Void, Never>?
    /// The time at which the timer fires; nil without a limit.
    var limitAwaited: ContinuousClock.Instant?
    /// Whether the stream has reported that it cannot continue.
    private var isStopped = false
    /// The number of events that the stream has delivered.
    private var events = 0
    /// Whether the response contains something that only an API server sends.
    private var isSound = false

    /// The most changes that are collected before they are delivered.
    private static let batchLimit = 256
    /// The longest object that is read; API servers refuse objects of more than some MiB.
    private static let objectLimit = 16 << 20

    /// Creates a reflector without known objects.
    init(_ resource: WatchedResource, _ candidate: WatchedResource.Candidate, context: ReflectorContext) {
        self.resource = resource
        self.candidate = candidate
        self.context = context
        wakes = context.sleeper.wakes
        machine = ReflectorMachine(
            times: context.times,
            hasWatchLists: context.traits.hasWatchLists(group: candidate.group),
            seed: .random(in: 0...UInt64.max)
        )
    }

    /// Follows the resource until it is no longer served, or the task is cancelled.
    func run() async {
        defer { endLimit() }
        while !Task.isCancelled {
            if noteReturn() { machine.serverIsBack() }
            machine.hasWatchLists = context.traits.hasWatchLists(group: candidate.group)
            switch machine.next() {
            case .gone: return
            case .wait(let time, let isForServer):
                await context.sleeper.sleep(for: time, isForServer: isForServer, since: wakes)
            case .send(let request): await performAttempt(request)
            }
        }
    }

    /// Whether the server came back since the last call.
    private func noteReturn() -> Bool {
        let now = context.sleeper.wakes
        defer { wakes = now }
        return now != wakes
    }

    // MARK: A request

    /// Executes a request in a task of its own, which can be cancelled.
    private func performAttempt(_ request: ReflectorMachine.Request) async {
        let attempt = Task { await perform(request) }
        self.attempt = attempt
        await withTaskCancellationHandler {
            await attempt.value
        } onCancel: {
            attempt.cancel()
        }
        self.attempt = nil
    }

    private func perform(_ request: ReflectorMachine.Request) async {
        let response: APIResponse
        do throws(TransportFailure) {
            response = try await context.client.open(candidate.path(request), within: answerLimit(request))
        } catch {
            context.failed(error)
            note(error)
            follow(machine.failed(error, at: .now))
            return
        }
        guard !Task.isCancelled else { return follow(machine.failed(.cancelled, at: .now)) }
        context.answered(response.status, group: candidate.group)
        if noteReturn() { machine.serverAnswered() }
        guard response.status == 200 else {
            let status = await response.refusal(within: context.times.answer)
            guard !Task.isCancelled else { return }
            refuse(status, retryAfter: response.retryAfter)
            await deliver()
            // Report after the delivery: callers that wait for all kinds continue after the report.
            if let verbs = neverAllowed {
                neverAllowed = nil
                context.report.forbidden(resource, candidate, verbs: verbs, hasObjects: false)
            }
            return
        }
        isStopped = false
        isSound = false
        let openedAt = ContinuousClock.now
        follow(machine.opened(at: openedAt))
        if request.verb == .watch { context.report.update(resource.kind) { $0.watchStarts += 1 } }
        await read(request, response)
        guard !Task.isCancelled, !isSound, .now - openedAt < context.times.steady else { return }
        let type = response.contentType.map { " (\($0.prefix(80)))" } ?? ""
        fail(.unreadable, why: "200 with something that is no \(request.verb.rawValue)\(type)")
    }

    private func answerLimit(_ request: ReflectorMachine.Request) -> Duration {
        if case .watch = request { context.times.answer } else { context.times.listAnswer }
    }

    private func refuse(_ status: APIStatus, retryAfter: Duration?) {
        let effects = machine.refused(status, retryAfter: retryAfter, at: .now)
        report(status, effects)
        follow(effects)
    }

    /// Reports why the server does not continue, from an HTTP status or a watch event.
    private func report(_ status: APIStatus, _ effects: [ReflectorMachine.Effect]) {
        // Missing support for watch-lists is not a failure, and a 403 has a message of its own.
        let isOrdinary = effects.contains(.watchListRefused) || [401, 403, 410].contains(status.code)
        if !isOrdinary { fail(status.code == 429 ? .throttled : .refused, why: "\(status)") }
        if !effects.contains(.watchListRefused) {
            context.report.update(resource.kind) { $0.lastError = "\(status)" }
        }
    }

    private func fail(_ cause: SourceReport.Cause.Kind, why: String) {
        context.report.failed(resource, candidate, cause, why: why)
    }

    /// Records that the response contains something that only an API server sends.
    private func confirmServer() {
        guard !isSound else { return }
        isSound = true
        context.works(resource, candidate)
    }

    private func note(_ failure: TransportFailure) {
        guard failure != .cancelled else { return }
        context.report.update(resource.kind) { $0.lastError = "\(failure)" }
    }

    // MARK: A body

    private func read(_ request: ReflectorMachine.Request, _ response: APIResponse) async {
        let watchdog = Watchdog(limit: machine.silenceLimit)
        let end = await withTaskGroup(of: ReflectorMachine.BodyEnd?.self) { group in
            group.addTask { await self.consume(request, response, watchdog) }
            group.addTask {
                await watchdog.bark()
                return .silent
            }
            group.addTask { [context] in
                repeat { try? await Task.sleep(for: context.times.wholeList) } while await self.isLive
                return .silent
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        await deliver()
        guard !Task.isCancelled, let end else { return }
        if end == .silent, !machine.isLive { fail(.unreadable, why: "a list does not come to its end") }
        follow(machine.ended(end, at: .now))
        await deliver()
    }

    private var isLive: Bool { !Task.isCancelled && machine.isLive }

    /// Reads a body to its end.
    ///
    /// - Returns: nil if the state machine has already handled its end.
    private func consume(
        _ request: ReflectorMachine.Request,
        _ response: APIResponse,
        _ watchdog: Watchdog
    ) async -> ReflectorMachine.BodyEnd? {
        switch request {
        case .list: await consumeList(response, watchdog)
        case .watchList, .watch: await consumeWatch(response, watchdog)
        }
    }

    private func consumeList(_ response: APIResponse, _ watchdog: Watchdog) async -> ReflectorMachine.BodyEnd? {
        var stream = ListStream(kind: candidate.kind, itemLimit: Self.objectLimit)
        do {
            for try await bytes in response.body {
                noteAnswer(response, watchdog)
                try stream.append(bytes.readableBytesUInt8Span) { take($0) }
                await deliverIfDue()
                watchdog.resume(limit: machine.silenceLimit)
            }
            let end = try stream.finish()
            confirmServer()
            follow(machine.listed(end, at: .now))
            return nil
        } catch let error as StreamError {
            return stopped(by: error)
        } catch {
            return stopped(by: TransportFailure(error))
        }
    }

    private func consumeWatch(_ response: APIResponse, _ watchdog: Watchdog) async -> ReflectorMachine.BodyEnd? {
        var stream = WatchStream(kind: candidate.kind, lineLimit: Self.objectLimit)
        do {
            for try await bytes in response.body {
                noteAnswer(response, watchdog)
                let before = events
                stream.append(bytes.readableBytesUInt8Span) { take($0) }
                await deliverIfDue()
                guard !isStopped else { return nil }
                if stream.isEndless { return leave("200 with a line of more than \(2 * Self.objectLimit) bytes") }
                watchdog.resume(limit: machine.silenceLimit, isWhole: events != before)
            }
            let isCutOff = stream.finish { take($0) }
            return isStopped ? nil : isCutOff ? .cut : .clean
        } catch {
            return isStopped ? nil : stopped(by: TransportFailure(error))
        }
    }

    private func noteAnswer(_ response: APIResponse, _ watchdog: Watchdog) {
        watchdog.pause()
        response.connection.noteActivity()
        context.report.update(resource.kind) { $0.lastEvent = .now }
    }

    private func stopped(by error: StreamError) -> ReflectorMachine.BodyEnd? {
        switch error {
        case .status(let status):
            refuse(status, retryAfter: nil)
            return nil
        case .truncated: return .cut
        case .malformed, .tooLong: return leave("\(error)")
        }
    }

    private func leave(_ reason: String) -> ReflectorMachine.BodyEnd {
        fail(.unreadable, why: reason)
        isSound = true
        return .malformed
    }

    private func stopped(by failure: TransportFailure) -> ReflectorMachine.BodyEnd? {
        guard failure != .cancelled, !Task.isCancelled else { return nil }
        note(failure)
        return .cut
    }

    // MARK: Objects and events

    private func take(_ item: Result<ClusterObject, ObjectIssue>) {
        switch item {
        case .success(let object):
            changes.append(.upsert(object))
            listed += 1
        case .failure(let error): context.report.unusable(resource.kind, error)
        }
    }

    private func take(_ event: WatchEvent) {
        guard !isStopped else { return }
        events += 1
        if case .unusable(let error, nil) = event, error.reference == nil {
            if received(.unreadable) == .stop {
                isStopped = true
            } else {
                context.report.unusable(resource.kind, error)
            }
            return
        }
        confirmServer()
        switch event {
        case .upsert(let object, let version):
            if received(.change(version: version)) == .apply {
                changes.append(.upsert(object))
                listed += 1
            }
        case .deleted(let reference, let uid, let version):
            if received(.change(version: version)) == .apply {
                changes.append(.delete(reference, uid: uid))
                listed -= 1
            }
        case .unusable(let error, let version):
            context.report.unusable(resource.kind, error)
            _ = received(.change(version: version))
        case .bookmark(let version, let isInitialEventsEnd):
            if received(.bookmark(version: version, isInitialEventsEnd: isInitialEventsEnd)) == .endReplace {
                follow(.endReplace)
            }
        case .error(let status):
            let (reaction, effects) = machine.received(.error(status), at: .now)
            report(status, effects)
            follow(effects)
            if reaction == .stop { isStopped = true }
        }
    }

    private func received(_ event: ReflectorMachine.Event) -> ReflectorMachine.Reaction {
        let (reaction, effects) = machine.received(event, at: .now)
        follow(effects)
        return reaction
    }

    func follow(_ effects: [ReflectorMachine.Effect]) {
        for effect in effects { follow(effect) }
        awaitLimit()
    }

    private func follow(_ effect: ReflectorMachine.Effect) {
        switch effect {
        case .beginReplace:
            changes.append(.beginReplace(candidate.kind))
            listed = 0
        case .endReplace:
            changes.append(.endReplace(candidate.kind))
            let count = listed
            context.report.update(resource.kind) { statistics in
                statistics.lists += 1
                statistics.listedObjects = count
            }
            context.works(resource, candidate)
            context.report.used(candidate)
        case .watchListRefused: context.traits.refuseWatchLists(group: candidate.group)
        case .unauthorized:
            context.report.unauthorized(as: context.user)
            context.client.renewCredentials()
        case .forbidden(let verbs):
            if machine.hasObjects {
                context.report.forbidden(resource, candidate, verbs: verbs, hasObjects: true)
            } else {
                neverAllowed = verbs
                if candidate.kind.mayTurnPolicies { changes.append(.forget(candidate.kind)) }
            }
        case .stale: context.report.stale(resource, candidate)
        case .forget(let time):
            changes.append(.forget(candidate.kind))
            context.report.forgotten(resource, candidate, after: time)
        case .abandon: attempt?.cancel()
        case .permitted: context.permitted(resource, candidate)
        case .restarted(let reason):
            if reason == .malformed || reason == .empty { context.traits.noteUnreadable() }
            context.report.update(resource.kind) { $0.restarts[reason, default: 0] += 1 }
        }
    }

    // MARK: Delivery

    /// Delivers events of a live watch at once, and objects of a list in larger batches.
    private func deliverIfDue() async {
        let isDue =
            machine.isLive || changes.count >= Self.batchLimit
            || ContinuousClock.now - deliveredAt >= context.times.batch
        if isDue { await deliver() }
    }

    func deliver() async {
        deliveredAt = .now
        guard !changes.isEmpty else { return }
        let batch = changes
        changes.removeAll(keepingCapacity: true)
        await context.delivery.deliver(batch)
        markSynced(batch)
    }

    /// Marks the kind as synced after all objects are delivered to the observer.
    private func markSynced(_ batch: [ClusterChange]) {
        var events = 0
        var isComplete = false
        for change in batch {
            switch change {
            case .upsert, .delete: events += 1
            case .endReplace: isComplete = true
            case .beginReplace, .forget: break
            }
        }
        context.report.update(resource.kind) { statistics in
            statistics.events += events
            if isComplete { statistics.isSynced = true }
        }
    }
}

extension WatchedResource.Candidate {
    /// The number of objects in a page of a list.
    private static let pageSize = 500

    /// The path and query of a request.
    func path(_ request: ReflectorMachine.Request) -> String {
        switch request {
        case .watchList(let seconds):
            return path + "?watch=1&allowWatchBookmarks=true&sendInitialEvents=true"
                + "&resourceVersionMatch=NotOlderThan&timeoutSeconds=\(seconds)"
        case .watch(let version, let seconds):
            return path + "?watch=1&allowWatchBookmarks=true&resourceVersion=\(Self.escaped(version))"
                + "&timeoutSeconds=\(seconds)"
        case .list(let token, let isPaged):
            // A request without a version returns the present state, and not that of the server's cache.
            guard isPaged else { return path }
            let page = path + "?limit=\(Self.pageSize)"
            return token.map { "\(page)&continue=\(Self.escaped($0))" } ?? page
        }
    }

    /// Percent-encodes a query value; only unreserved characters are kept (RFC 3986, section 2.3).
    private static func escaped(_ value: String) -> String {
        var text = ""
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                text.unicodeScalars.append(UnicodeScalar(byte))
            default:
                text += byte < 16 ? "%0" : "%"
                text += String(byte, radix: 16, uppercase: true)
            }
        }
        return text
    }
}
