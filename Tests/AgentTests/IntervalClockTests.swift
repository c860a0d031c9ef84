import Testing

@testable import Agent

/// The seconds of intervals across changes of the clocks.
struct IntervalClockTests {
    /// A flush: how much each clock went on since the one before, in milliseconds, and the interval that it ends.
    struct Flush: Sendable {
        /// The time for which the machine was awake.
        var awake: Int64
        /// The time for which it was suspended.
        var suspended: Int64 = 0
        /// By how much the wall clock was set.
        var set: Int64 = 0
        /// The interval, in seconds since the start of the run.
        var seconds: ClosedRange<Int64>
        var isBrief = false
        var step: Int64 = 0
        var suspension: Int64 = 0
    }

    struct Course: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// The wall clock at the start, milliseconds after a full second.
        var start: Int64 = 0
        var flushes: [Flush]
    }

    @Test(arguments: [
        Course(
            testDescription: "intervals follow one another",
            start: 300,
            flushes: [
                Flush(awake: 9_700, seconds: 0...10), Flush(awake: 10_000, seconds: 10...20),
                Flush(awake: 2_500, seconds: 20...22),
            ]
        ),
        Course(
            testDescription: "the clock is set back an hour: once, and to a time that is true",
            flushes: [
                Flush(awake: 10_000, seconds: 0...10),
                Flush(awake: 10_000, set: -3_600_000, seconds: -3590...(-3580), step: -3_600_000),
                Flush(awake: 10_000, seconds: -3580...(-3570)), Flush(awake: 10_000, seconds: -3570...(-3560)),
            ]
        ),
        Course(
            testDescription: "the clock is set forward an hour",
            flushes: [
                Flush(awake: 10_000, set: 3_600_000, seconds: 3600...3610, step: 3_600_000),
                Flush(awake: 10_000, seconds: 3610...3620),
            ]
        ),
        Course(
            testDescription: "back to before 1970, as after a dead battery",
            flushes: [
                Flush(
                    awake: 5_000,
                    set: -1_000_010_000_000,
                    seconds: -1_000_010_000...(-1_000_009_995),
                    step: -1_000_010_000_000
                )
            ]
        ),
        Course(
            testDescription: "a little back within an interval: no word, and the end is later than the start",
            flushes: [
                Flush(awake: 10_000, seconds: 0...10), Flush(awake: 900, set: -1_000, seconds: 8...9, isBrief: true),
            ]
        ),
        Course(
            testDescription: "adjusted gradually",
            flushes: [
                Flush(awake: 3_600_000, set: -1_800, seconds: 0...3598),
                Flush(awake: 3_600_000, set: 1_800, seconds: 3598...7200),
            ]
        ),
        Course(
            testDescription: "suspended for a night: no step, and the interval is as long",
            flushes: [
                Flush(awake: 10_000, seconds: 0...10),
                Flush(awake: 5_000, suspended: 28_800_000, seconds: 10...28_815, suspension: 28_800_000),
                Flush(awake: 5_000, seconds: 28_815...28_820),
            ]
        ),
        Course(
            testDescription: "suspended, and set back on waking",
            flushes: [
                Flush(
                    awake: 10_000,
                    suspended: 60_000,
                    set: -600_000,
                    seconds: -600...(-530),
                    step: -600_000,
                    suspension: 60_000
                )
            ]
        ),
        Course(
            testDescription: "flushes within one second never run ahead of the clock",
            start: 100,
            flushes: [
                Flush(awake: 200, seconds: -1...0, isBrief: true), Flush(awake: 200, seconds: -1...0, isBrief: true),
                Flush(awake: 600, seconds: 0...1), Flush(awake: 300, seconds: 0...1, isBrief: true),
            ]
        ),
        Course(
            testDescription: "a reading that waited in a queue is older than the flush before",
            flushes: [
                Flush(awake: 10_000, seconds: 0...10), Flush(awake: -3_000, seconds: 9...10, isBrief: true),
                Flush(awake: 13_000, seconds: 10...20),
            ]
        ),
    ])
    func intervalsFollowClockChanges(_ course: Course) {
        let million: Int64 = 1_000_000
        let origin: Int64 = 1_000_000_000
        var now = ClockReading(
            monotonic: 5_000_000_000,
            boot: 8_000_000_000,
            wall: origin * 1_000_000_000 + course.start * million
        )
        var clock = IntervalClock(now)
        for (index, flush) in course.flushes.enumerated() {
            now.monotonic += flush.awake * million
            now.boot += (flush.awake + flush.suspended) * million
            now.wall += (flush.awake + flush.suspended + flush.set) * million
            let interval = clock.endInterval(at: now)
            let seconds = interval.seconds.lowerBound - origin...interval.seconds.upperBound - origin
            #expect(seconds == flush.seconds, "flush \(index)")
            #expect(interval.seconds.lowerBound < interval.seconds.upperBound, "flush \(index)")
            #expect(interval.isBrief == flush.isBrief, "flush \(index)")
            #expect(interval.step == flush.step * million, "flush \(index)")
            #expect(interval.suspension == flush.suspension * million, "flush \(index)")
        }
    }

    @Test func wakeUpSignalEndsExactlyOneWait() {
        let wakeUp = WakeUp()
        #expect(!wakeUp.wait(atMost: .zero))
        for _ in 0..<100_000 { wakeUp.signal() }
        #expect(wakeUp.wait(atMost: .seconds(20)))
        #expect(!wakeUp.wait(atMost: .zero))
        let start = Clock.monotonic
        #expect(!wakeUp.wait(atMost: .milliseconds(30)))
        #expect(Clock.monotonic - start >= 30_000_000)
        #expect(!wakeUp.wait(atMost: .seconds(-1)))
    }
}
