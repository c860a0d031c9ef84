import Testing

@testable import Agent

struct ScheduleTests {
    /// Nanoseconds of a second.
    private static let second: Int64 = 1_000_000_000

    /// The times of an aligned schedule, in milliseconds: `until` counts from now.
    struct Alignment: Sendable {
        var wall: Int64
        var interval: Int64
        var until: Int64
    }

    @Test(arguments: [
        Alignment(wall: 0, interval: 10_000, until: 10_000),
        Alignment(wall: 1_000, interval: 10_000, until: 9_000),
        Alignment(wall: 9_500, interval: 10_000, until: 500),
        Alignment(wall: 10_000, interval: 10_000, until: 10_000),
        Alignment(wall: 1_700_000_000_000, interval: 300_000, until: 100_000),
        Alignment(wall: 1_700_000_003_250, interval: 1_000, until: 750),
        Alignment(wall: 7_199_000, interval: 3_600_000, until: 1_000),
        Alignment(wall: 100, interval: 1_500, until: 1_400),
        // Before 1970, as on a machine without a clock.
        Alignment(wall: -1_000, interval: 10_000, until: 1_000),
        Alignment(wall: -10_000, interval: 10_000, until: 10_000),
    ])
    func alignedTimesFallOnMultiplesInUnixTime(_ row: Alignment) {
        let now: Int64 = 123_456_789
        let interval = Duration.milliseconds(row.interval)
        let schedule = Schedule(every: interval, isAligned: true, now: now, wall: row.wall * 1_000_000)
        let due = now + row.until * 1_000_000
        #expect(schedule.next == due)
        #expect(!schedule.isDue(due - 1))
        #expect(schedule.isDue(due))
        #expect(schedule.isDue(due + 1))
    }

    @Test func alignedScheduleSkipsMissedTimes() {
        let second = Self.second
        var schedule = Schedule(every: .seconds(10), isAligned: true, now: 0, wall: 0)
        // 37 s late: the next is at 50 s of Unix time.
        schedule.advance(now: 47 * second, wall: 47 * second)
        #expect(schedule.next == 50 * second)
        // The wall clock was set back an hour and a bit: still at the next multiple.
        schedule.advance(now: 50 * second, wall: (50 - 3_603) * second)
        #expect(schedule.next == 53 * second)
    }

    @Test func unalignedScheduleKeepsItsPace() {
        let second = Self.second
        var schedule = Schedule(every: .seconds(1), isAligned: false, now: 500, wall: 77)
        #expect(schedule.next == second + 500)
        // A little late: the pace is kept.
        schedule.advance(now: second + 900, wall: 0)
        #expect(schedule.next == 2 * second + 500)
        // So late that the next is over, too: due at once, and once only.
        schedule.advance(now: 7 * second, wall: 0)
        #expect(schedule.next == 7 * second)
        schedule.advance(now: 7 * second, wall: 0)
        #expect(schedule.next == 8 * second)
    }

    /// Passes over sockets with a scan every second: the seconds of samples and those of reports.
    @Test(
        arguments: [
            (1, [], Array(0...25)), (4, [], [0, 4, 8, 12, 16, 20, 24]), (5, [], [0, 5, 10, 15, 20, 25]),
            (7, [5, 12, 19], [0, 7, 14, 21]), (10, [5, 15, 25], [0, 10, 20]),
            // Half the time after which a flow without an answer ends is over before the flush.
            (11, [], [0, 5, 10, 11, 16, 21, 22]), (60, [], [0, 5, 10, 15, 20, 25]),
        ] as [(Int, [Int], [Int])]
    )
    func socketsReportBeforeTheirFlowsEnd(_ interval: Int, _ samples: [Int], _ reports: [Int]) {
        var schedule = SocketSchedule()
        var seconds: [SocketSchedule.Pass: [Int]] = [:]
        for now in 0...25 {
            let pass = schedule.pass(
                now: Int64(now) * Self.second,
                isFlush: now.isMultiple(of: interval),
                flushInterval: .seconds(interval)
            )
            seconds[pass, default: []].append(now)
        }
        #expect(seconds[.sample] ?? [] == samples)
        #expect(seconds[.report] ?? [] == reports)
    }

    /// The first scan passes over sockets, too.
    @Test(arguments: [(10, SocketSchedule.Pass.sample), (11, .report)])
    func firstScanPassesOverSockets(_ interval: Int, _ pass: SocketSchedule.Pass) {
        var schedule = SocketSchedule()
        #expect(schedule.pass(now: 1, isFlush: false, flushInterval: .seconds(interval)) == pass)
        #expect(schedule.pass(now: 2, isFlush: false, flushInterval: .seconds(interval)) == .nothing)
    }

    @Test(arguments: [
        (Duration.milliseconds(10), Int64(10_000_000)), (.seconds(1), 1_000_000_000), (.nanoseconds(7), 7),
        (.seconds(3_600_000_000), 3_600_000_000_000_000_000),
    ])
    func convertsDurationsToNanoseconds(_ duration: Duration, _ nanoseconds: Int64) {
        #expect(duration.nanoseconds == nanoseconds)
    }
}
