import ClusterModel
import Testing

@testable import ClusterSource

/// The steps of a reflector, event by event, without a server.
@Suite struct ReflectorMachineTests {
    /// A case: the events, and the next request that they require.
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var hasWatchLists = true
        var events: [MachineEvent]
        var next: PlainRequest?
        /// Among the effects since the start.
        var effects: [ReflectorMachine.Effect] = []
        /// The number of pauses.
        var pauses = 0

        var testDescription: String { name }
    }

    private static let listed: [MachineEvent] = [.ok, .page(version: "10", token: nil)]
    private static let watchListed: [MachineEvent] = [.ok, .change("7"), .initialEnd("10")]

    static let cases: [Case] = [
        // 1: a version belongs to a list; the watch goes on from exactly that one.
        Case(name: "a list, then a watch from its version", hasWatchLists: false, events: listed, next: .watch("10")),
        Case(
            name: "a watch-list, then the same stream goes on",
            events: watchListed + [.change("11"), .end(.clean)],
            next: .watch("11"),
            effects: [.beginReplace, .restarted(.ended)]
        ),
        Case(
            name: "versions of the objects at the beginning mean nothing",
            events: [.ok, .change("700"), .change("3"), .end(.cut)],
            next: .watchList,
            effects: [.beginReplace, .restarted(.cut)]
        ),
        // 2: an expired version, as an event in an answer of 200.
        Case(
            name: "410 as an event: all anew, at once",
            hasWatchLists: false,
            events: listed + [.ok, .errorEvent(.expired)],
            next: .list(nil),
            effects: [.beginReplace, .endReplace, .restarted(.expired)]
        ),
        Case(
            name: "410 as an event of a watch-list: all anew",
            events: watchListed + [.errorEvent(.expired)],
            next: .watchList,
            effects: [.beginReplace, .restarted(.expired)]
        ),
        // 3: the same after a restart of the server, again and again: with pauses.
        Case(
            name: "410 again and again: with pauses",
            hasWatchLists: false,
            events: listed + [.ok, .errorEvent(.expired)] + listed + [.ok, .errorEvent(.expired)] + listed
                + [.ok, .errorEvent(.expired)],
            next: .list(nil),
            pauses: 2
        ),
        // 4: a version from the future.
        Case(
            name: "a watch that ends without an event: all anew",
            hasWatchLists: false,
            events: listed + [.ok, .later(.seconds(400)), .end(.clean)],
            next: .list(nil),
            effects: [.beginReplace, .endReplace, .restarted(.empty)]
        ),
        Case(
            name: "a silent watch: all anew",
            hasWatchLists: false,
            events: listed + [.ok, .later(.seconds(120)), .end(.silent)],
            next: .list(nil),
            effects: [.beginReplace, .endReplace, .restarted(.silent)]
        ),
        Case(
            name: "a watch that falls silent after events: all anew",
            hasWatchLists: false,
            events: listed + [.ok, .change("12"), .later(.seconds(120)), .end(.silent)],
            next: .list(nil)
        ),
        Case(
            name: "504 for a version from the future: all anew, without it, after a pause",
            hasWatchLists: false,
            events: listed + [.refused(.tooLarge, retryAfter: .seconds(1))],
            next: .list(nil),
            effects: [.beginReplace, .endReplace, .restarted(.tooLarge)],
            pauses: 1
        ),
        Case(
            name: "504 as an event: all anew",
            hasWatchLists: false,
            events: listed + [.ok, .errorEvent(.tooLarge)],
            next: .list(nil),
            pauses: 1
        ),
        // 5: a real 410, for the token of a list.
        Case(
            name: "an expired token: from the beginning, in one piece",
            hasWatchLists: false,
            events: [.ok, .page(version: "10", token: "t"), .refused(.expired)],
            next: .wholeList,
            effects: [.beginReplace, .restarted(.expired)]
        ),
        Case(
            name: "after a complete list in one piece, pages again",
            hasWatchLists: false,
            events: [.ok, .page(version: "10", token: "t"), .refused(.expired)] + listed
                + [.ok, .errorEvent(.expired)],
            next: .list(nil),
            pauses: 1
        ),
        Case(
            name: "a real 410 for a watch",
            hasWatchLists: false,
            events: listed + [.refused(.expired)],
            next: .list(nil)
        ),
        // 6: requests that the server does not understand.
        Case(
            name: "500 for the version of a watch: all anew",
            hasWatchLists: false,
            events: listed + [.refused(APIStatus(code: 500))],
            next: .list(nil),
            pauses: 1
        ),
        Case(
            name: "422 for a watch-list: a list, at once",
            events: [.refused(APIStatus(code: 422))],
            next: .list(nil),
            effects: [.watchListRefused]
        ),
        // kube-apiserver 1.36.2 over etcd 3.4.23, in an answer of 200.
        Case(
            name: "500 as the first event of a watch-list: a list, at once",
            events: [.ok, .errorEvent(APIStatus(code: 500))],
            next: .list(nil),
            effects: [.beginReplace, .watchListRefused, .restarted(.serverError)]
        ),
        Case(
            name: "500 as an event after the objects of a watch-list: all anew",
            events: watchListed + [.errorEvent(APIStatus(code: 500))],
            next: .watchList,
            effects: [.beginReplace, .restarted(.serverError)],
            pauses: 1
        ),
        Case(
            name: "400 for a watch-list: a list, at once",
            events: [.refused(APIStatus(code: 400))],
            next: .list(nil),
            effects: [.watchListRefused]
        ),
        Case(
            name: "a server from before watch-lists that takes it for a watch",
            events: [.ok, .change("5"), .later(.seconds(60)), .end(.silent)],
            next: .list(nil),
            effects: [.beginReplace, .restarted(.silent), .watchListRefused]
        ),
        Case(
            name: "watch-lists that break twice: a list",
            events: [.ok, .change("5"), .end(.cut), .ok, .change("5"), .end(.cut)],
            next: .list(nil),
            pauses: 1
        ),
        // 8: bookmarks move the version.
        Case(
            name: "a bookmark moves the version",
            hasWatchLists: false,
            events: listed + [.ok, .change("12"), .bookmark("20"), .end(.cut)],
            next: .watch("20")
        ),
        Case(
            name: "a bookmark before the objects are told is none",
            events: [.ok, .bookmark("20"), .end(.cut)],
            next: .watchList
        ),
        // 10: hollow objects.
        Case(
            name: "a bookmark without a version, and an object without one, leave the version",
            hasWatchLists: false,
            events: listed + [.ok, .bookmark(""), .changeWithoutVersion, .end(.clean)],
            next: .watch("10")
        ),
        // 20, 21, 22: ends.
        Case(
            name: "a clean end after events is not the end of the story",
            hasWatchLists: false,
            events: listed + [.ok, .change("11"), .end(.clean)],
            next: .watch("11"),
            effects: [.beginReplace, .endReplace, .restarted(.ended)]
        ),
        Case(
            name: "a cut connection",
            hasWatchLists: false,
            events: listed + [.ok, .change("11"), .end(.cut)],
            next: .watch("11"),
            effects: [.beginReplace, .endReplace, .restarted(.cut)]
        ),
        Case(
            name: "a cut connection before any event",
            hasWatchLists: false,
            events: listed + [.ok, .end(.cut)],
            next: .watch("10")
        ),
        Case(
            name: "a connection that was given up before the answer",
            hasWatchLists: false,
            events: listed + [.failed(.cut("GOAWAY"))],
            next: .watch("10")
        ),
        Case(
            name: "a server that is away: the version stays",
            hasWatchLists: false,
            events: listed + [.failed(.unreachable("refused")), .failed(.unreachable("refused"))],
            next: .watch("10"),
            effects: [.beginReplace, .endReplace, .restarted(.unreachable), .restarted(.unreachable)],
            pauses: 2
        ),
        Case(
            name: "a list that is cut within a page asks for that page again",
            hasWatchLists: false,
            events: [.ok, .page(version: "10", token: "t"), .ok, .end(.cut)],
            next: .list("t")
        ),
        Case(
            name: "a first page that is cut",
            hasWatchLists: false,
            events: [.ok, .end(.cut)],
            next: .list(nil),
            effects: [.beginReplace, .restarted(.cut)]
        ),
        Case(
            name: "a list without a version is none",
            hasWatchLists: false,
            events: [.ok, .page(version: nil, token: nil)],
            next: .list(nil),
            effects: [.beginReplace, .restarted(.malformed)]
        ),
        Case(
            name: "a page that cannot be read: from the beginning",
            hasWatchLists: false,
            events: [.ok, .page(version: "10", token: "t"), .ok, .end(.malformed)],
            next: .list(nil)
        ),
        // Answers that are not a watch.
        Case(
            name: "a watch that begins with something else: all anew",
            hasWatchLists: false,
            events: listed + [.ok, .junk],
            next: .list(nil),
            effects: [.beginReplace, .endReplace, .restarted(.malformed)]
        ),
        Case(
            name: "the same again and again: with pauses",
            hasWatchLists: false,
            events: listed + [.ok, .junk] + listed + [.ok, .junk] + listed + [.ok, .junk],
            next: .list(nil),
            pauses: 2
        ),
        Case(
            name: "one line among others that cannot be read",
            hasWatchLists: false,
            events: listed + [.ok, .change("11"), .junk, .change("12"), .end(.cut)],
            next: .watch("12")
        ),
        // 24: refusals.
        Case(
            name: "429 keeps the version",
            hasWatchLists: false,
            events: listed + [.refused(APIStatus(code: 429), retryAfter: .seconds(1))],
            next: .watch("10"),
            effects: [.beginReplace, .endReplace, .restarted(.throttled)],
            pauses: 1
        ),
        Case(
            name: "503 keeps the version",
            hasWatchLists: false,
            events: listed + [.refused(APIStatus(code: 503))],
            next: .watch("10"),
            pauses: 1
        ),
        Case(
            name: "401: once more at once, with fresh credentials",
            hasWatchLists: false,
            events: listed + [.refused(APIStatus(code: 401))],
            next: .watch("10"),
            effects: [.beginReplace, .endReplace, .unauthorized, .restarted(.unauthorized)]
        ),
        Case(
            name: "404 for a moment is nothing",
            hasWatchLists: false,
            events: listed + [.refused(APIStatus(code: 404)), .refused(APIStatus(code: 404)), .ok],
            next: .watch("10"),
            pauses: 2
        ),
        Case(
            name: "404 that lasts: gone",
            hasWatchLists: false,
            events: listed + [.refused(APIStatus(code: 404)), .later(.seconds(10)), .refused(APIStatus(code: 404))],
            next: nil,
            pauses: 1
        ),
    ]

    @Test(arguments: cases)
    func sendsExpectedNextRequest(_ test: Case) {
        var driver = MachineDriver(hasWatchLists: test.hasWatchLists)
        driver.run(test.events)
        #expect(driver.plain == test.next)
        #expect(driver.pauses.count == test.pauses)
        if !test.effects.isEmpty { #expect(driver.effects == test.effects) }
    }

    @Test func endsReplaceAtEndOfInitialEvents() {
        var driver = MachineDriver()
        driver.run([.ok, .change("1"), .bookmark("5"), .change("2"), .initialEnd("9"), .change("10"), .bookmark("11")])
        #expect(driver.reactions == [.apply, .ignore, .apply, .endReplace, .apply, .ignore])
    }

    @Test func ignoresEventsAfterError() {
        var driver = MachineDriver(hasWatchLists: false)
        driver.run([.ok, .page(version: "1", token: nil), .ok, .change("2")])
        let (reaction, _) = driver.machine.received(.error(.expired), at: driver.now)
        #expect(reaction == .stop)
        let (after, effects) = driver.machine.received(.change(version: "3"), at: driver.now)
        #expect(after == .ignore)
        #expect(effects.isEmpty)
        #expect(driver.machine.ended(.clean, at: driver.now).isEmpty)
    }

    @Test(arguments: 1...50) func drawsWatchTimeoutWithinRange(seed: UInt64) {
        guard case .watchList(let seconds) = MachineDriver(seed: seed).request else {
            Issue.record("no watch-list")
            return
        }
        #expect(300...600 ~= seconds)
    }

    @Test func randomizesWatchTimeouts() {
        let requests = Set((1...50 as ClosedRange<UInt64>).map { MachineDriver(seed: $0).request })
        #expect(requests.count > 30)
    }

    // MARK: - The age limit of known objects

    /// The limit applies during a request, too; the request is cancelled if it would continue from forgotten objects.
    @Test func appliesAgeLimitDuringRequest() {
        var driver = MachineDriver(hasWatchLists: false)
        driver.run(Self.listed + [.ok, .refused(.forbidden)])
        let limit = driver.machine.limit
        #expect(driver.plain == .watch("10") && limit != nil)
        driver.run([.later(.seconds(800)), .limit])
        #expect(driver.effects == [] && driver.machine.limit == limit)
        driver.run([.later(.seconds(100)), .limit, .limit])
        #expect(driver.effects.contains(.abandon) && driver.effects.count == 2 && driver.machine.limit == nil)
        driver.run([.failed(.cancelled)])
        #expect(driver.plain == .list(nil))
        // A list returns all objects, so the machine does not abandon it.
        driver.run(Self.listed + [.refused(.forbidden)])
        #expect(driver.plain == .list(nil))
        driver.run([.later(.seconds(900)), .limit])
        #expect(driver.effects.count == 1)
    }

    /// A granted watch is current even if it reports no change.
    @Test func grantedWatchHasNoAgeLimit() {
        var driver = MachineDriver(hasWatchLists: false)
        driver.run(Self.listed + [.ok, .refused(.forbidden), .ok])
        #expect(driver.plain == .watch("10") && driver.machine.limit == nil)
        driver.run([.later(.seconds(3_600)), .limit])
        #expect(driver.effects == [])
        // A watch that ends at once does not count as granted.
        driver.run([.end(.malformed)])
        #expect(driver.effects.contains { if case .forget = $0 { true } else { false } })
    }
}
