import Testing

@testable import ClusterSource

/// The log of a lasting failure.
@Suite struct LastingFailureTests {
    private let start = ContinuousClock.now

    @Test func reportsAtOnceThenInGrowingPeriods() {
        var failure = LastingFailure()
        var told: [Int] = []
        for second in 0..<4 * 3600 where failure.failed(at: start + .seconds(second), patience: .zero) != nil {
            told.append(second)
        }
        #expect(told == [0, 60, 180, 420, 900, 1860, 3780, 7380, 10980])
        #expect(failure.succeeded(at: start + .seconds(14400)) == .ended(.seconds(14400)))
        #expect(failure.succeeded(at: start + .seconds(14401)) == nil)
    }

    @Test func doesNotReportFailureWithinPatience() {
        var failure = LastingFailure()
        #expect(failure.failed(at: start, patience: .seconds(5)) == nil)
        #expect(failure.failed(at: start + .seconds(4), patience: .seconds(5)) == nil)
        #expect(failure.succeeded(at: start + .seconds(4)) == nil)
        #expect(failure.failed(at: start + .seconds(6), patience: .seconds(5)) == nil)
        #expect(failure.failed(at: start + .seconds(11), patience: .seconds(5)) == .began)
    }

    @Test func limitsReportsOfIntermittentFailure() {
        var failure = LastingFailure()
        var count = 0
        for second in 0..<600 {
            if failure.failed(at: start + .seconds(second), patience: .zero) != nil { count += 1 }
            if failure.succeeded(at: start + .seconds(second) + .milliseconds(500)) != nil { count += 1 }
        }
        #expect(count <= 20)
        #expect(count >= 2)
    }

    @Test func reportsDurationAndStart() {
        var failure = LastingFailure()
        #expect(failure.failed(at: start, patience: .zero) == .began)
        #expect(failure.failed(at: start + .seconds(720), patience: .zero) == .lasts(.seconds(720)))
        #expect(failure.failingSince == start)
    }

    @Test(arguments: [(0, "0s"), (59, "59s"), (60, "1m"), (720, "12m"), (3600, "1h"), (90000, "1d")])
    func roundsDurations(seconds: Int, text: String) {
        #expect(Duration.seconds(seconds).roughly == text)
    }
}
