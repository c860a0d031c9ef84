import ClusterModel
import Testing

@testable import ClusterSource

/// The pauses of a reflector, and its reports of missing rights.
@Suite struct ReflectorPauseTests {
    @Test func backsOffWhileServerIsUnreachable() {
        var driver = MachineDriver()
        driver.run(Array(repeating: .failed(.unreachable("refused")), count: 12))
        #expect(driver.pauses.count == 12)
        for (attempt, pause) in driver.pauses.enumerated() {
            let longest = min(0.5 * Double(1 << attempt), 30)
            #expect(pause >= .seconds(longest / 2) && pause <= .seconds(longest), "attempt \(attempt)")
        }
    }

    /// The first watch after a restart of the server finds its version too old; the list that follows does not wait
    /// for the backoff of the outage.
    @Test func resetsBackoffAfterOutage() {
        var driver = MachineDriver(hasWatchLists: false)
        driver.run([.ok, .page(version: "1", token: nil)])
        driver.run(Array(repeating: .failed(.unreachable("refused")), count: 9))
        let start = driver.now
        driver.run([.serverIsBack, .ok, .errorEvent(.expired)])
        #expect(driver.plain == .list(nil))
        #expect(driver.now - start <= .milliseconds(500))
        driver.run(Array(repeating: .refused(APIStatus(code: 503)), count: 9) + [.serverIsBack, .refused(.forbidden)])
        #expect(driver.pauses.last ?? .zero <= .milliseconds(500))
    }

    @Test func keepsRetryAfterPauseWhenServerIsBack() {
        var driver = MachineDriver()
        driver.machine.stream = .init(request: .list(token: nil, isPaged: true), isLive: false)
        _ = driver.machine.refused(APIStatus(code: 429), retryAfter: .seconds(60), at: driver.now)
        driver.machine.serverIsBack()
        guard case .wait(let time, false) = driver.machine.next() else {
            Issue.record("no pause")
            return
        }
        #expect(time >= .seconds(60))
    }

    @Test func randomizesPausesAcrossAgents() {
        let pauses = Set(
            (1...20 as ClosedRange<UInt64>).map { seed in
                var driver = MachineDriver(seed: seed)
                driver.run([.failed(.unreachable("refused"))])
                return driver.pauses
            }
        )
        #expect(pauses.count == 20)
    }

    @Test func restartsLongWatchWithoutPause() {
        var driver = MachineDriver(hasWatchLists: false)
        driver.run([.ok, .page(version: "1", token: nil)])
        for version in 2...9 {
            driver.run([.ok, .change("\(version)"), .later(.seconds(11)), .end(.clean)])
            #expect(driver.pauses.isEmpty)
            #expect(driver.plain == .watch("\(version)"))
        }
    }

    @Test func pausesBrieflyAfterShortWatchesWithEvents() {
        var driver = MachineDriver(hasWatchLists: false)
        driver.run([.ok, .page(version: "1", token: nil)])
        for version in 2...9 { driver.run([.ok, .change("\(version)"), .end(.clean)]) }
        #expect(driver.pauses.count == 1)
        #expect(driver.pauses.allSatisfy { $0 <= .milliseconds(500) })
    }

    @Test func backsOffAfterRepeatedlyCutWatches() {
        var driver = MachineDriver(hasWatchLists: false)
        driver.run([.ok, .page(version: "1", token: nil)] + Array(repeating: .failed(.cut("")), count: 10))
        #expect(driver.pauses.count == 9)
        #expect(driver.pauses.last ?? .zero >= .seconds(15))
    }

    @Test(arguments: [1, 7, 60]) func waitsForRetryAfter(seconds: Int) {
        var driver = MachineDriver()
        driver.run([.refused(APIStatus(code: 429), retryAfter: .seconds(seconds))])
        #expect(driver.pauses.count == 1)
        #expect(driver.pauses[0] >= .seconds(seconds) && driver.pauses[0] <= .seconds(seconds) * 1.5)
        #expect(driver.plain == .watchList)
    }

    /// The server requests one second each time, but the pauses grow.
    @Test func backsOffBeyondRepeatedRetryAfter() {
        var driver = MachineDriver()
        driver.run(Array(repeating: .refused(APIStatus(code: 429), retryAfter: .seconds(1)), count: 10))
        #expect(driver.pauses.allSatisfy { $0 >= .seconds(1) })
        #expect(driver.pauses.last ?? .zero >= .seconds(15))
    }

    // MARK: Stale objects

    /// A right is withdrawn for good; the objects are forgotten once, after the limit and at the next refusal.
    @Test func forgetsObjectsOnceAfterLongRefusal() {
        var driver = MachineDriver()
        driver.run([.ok, .change("1"), .initialEnd("2"), .end(.clean)])
        let start = driver.now
        var forgottenAfter: [Duration] = []
        for _ in 0..<40 {
            driver.run([.refused(.forbidden)])
            for case .forget(let time) in driver.effects {
                forgottenAfter.append(time)
                #expect(driver.now - start >= time)
            }
        }
        #expect(forgottenAfter.count == 1)
        #expect(forgottenAfter.first.map { $0 >= .seconds(900) && $0 < .seconds(1000) } == true)
        #expect(driver.plain == .watchList || driver.plain == .list(nil))
    }

    /// Objects that the server shows again in between are not stale.
    @Test func regrantedRightResetsAgeLimit() {
        var driver = MachineDriver()
        driver.run([.ok, .initialEnd("2"), .end(.clean)])
        for _ in 0..<40 {
            driver.run([
                .refused(.forbidden), .later(.seconds(600)), .refused(.forbidden), .ok, .initialEnd("3"), .end(.clean),
            ])
            #expect(!driver.effects.contains { if case .forget = $0 { true } else { false } })
        }
    }

    /// An unreachable server is no reason to forget objects: nothing shows that the cluster has changed.
    @Test func keepsObjectsDuringOutage() {
        var driver = MachineDriver()
        driver.run([.ok, .initialEnd("2"), .end(.clean)])
        driver.run(Array(repeating: .failed(.unreachable("refused")), count: 100))
        driver.run([.serverIsBack, .refused(.forbidden), .ok, .initialEnd("3")])
        #expect(!driver.effects.contains { if case .forget = $0 { true } else { false } })
    }

    /// The last answers of a server that ends may be cut off, or refusals.
    @Test(arguments: [[.ok, .end(.cut)], [.refused(.forbidden)], [.ok, .end(.malformed)]] as [[MachineEvent]])
    func outageClearsAgeLimit(_ last: [MachineEvent]) {
        var driver = MachineDriver()
        driver.run([.ok, .initialEnd("2"), .end(.clean)] + last)
        #expect(driver.machine.limit != nil)
        driver.run([.failed(.unreachable("refused"))])
        #expect(driver.machine.limit == nil)
    }

    @Test func usesRetryAfterOfBodyWithoutHeader() {
        var driver = MachineDriver()
        driver.run([.refused(APIStatus(code: 429, retryAfterSeconds: 9))])
        #expect(driver.pauses[0] >= .seconds(9))
    }

    /// 23: just after the start of a server RBAC refuses everything for half a second.
    @Test func doesNotReportShortForbiddenPeriod() {
        var driver = MachineDriver(hasWatchLists: false)
        driver.run([.refused(.forbidden), .ok, .page(version: "1", token: nil)])
        #expect(driver.pauses.count == 1)
        #expect(driver.pauses[0] <= .milliseconds(500))
        #expect(driver.effects == [.restarted(.forbidden), .beginReplace, .endReplace])
    }

    @Test func reportsMissingRightOnceAfterFiveSeconds() {
        var driver = MachineDriver()
        let start = driver.now
        driver.run(Array(repeating: .refused(.forbidden), count: 20))
        let named = driver.effects.filter { $0 != .restarted(.forbidden) }
        #expect(named == [.forbidden([.list, .watch])])
        #expect(driver.pauses[0] <= .milliseconds(500))
        #expect(driver.pauses.last ?? .zero >= .seconds(60))
        #expect(driver.pauses.last ?? .zero <= .seconds(90))
        #expect(driver.now - start > .seconds(600))
        driver.run([.ok])
        #expect(driver.effects.contains(.permitted))
    }

    @Test func triesListAndWatchInTurns() {
        var driver = MachineDriver()
        var requests: [PlainRequest?] = [driver.plain]
        for _ in 1...3 {
            driver.run([.refused(.forbidden)])
            requests.append(driver.plain)
        }
        #expect(requests == [.watchList, .list(nil), .watchList, .list(nil)])
    }

    @Test func listsRepeatedlyWithoutWatchRight() {
        var driver = MachineDriver()
        driver.run([
            .refused(.forbidden), .ok, .page(version: "1", token: nil), .later(.seconds(6)), .refused(.forbidden),
        ])
        #expect(driver.effects.filter { $0 == .endReplace }.count == 1)
        #expect(driver.effects.contains(.forbidden([.watch])))
        for version in 2...5 {
            #expect(driver.plain == .list(nil))
            driver.run([.ok, .page(version: "\(version)", token: nil), .refused(.forbidden)])
            #expect(driver.effects == [.beginReplace, .endReplace, .restarted(.forbidden)])
        }
        driver.run([.ok, .page(version: "6", token: nil), .ok])
        #expect(driver.effects == [.beginReplace, .endReplace, .permitted])
    }

    @Test func needsNoListWithWatchRight() {
        var driver = MachineDriver()
        driver.run([.ok, .initialEnd("3"), .change("4"), .end(.cut), .ok])
        #expect(driver.plain == .watch("4"))
        #expect(!driver.effects.contains(.permitted))
    }
}
