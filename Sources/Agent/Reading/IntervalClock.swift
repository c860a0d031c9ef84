import Glibc

/// A reading of the clocks at one moment, ns.
struct ClockReading: Sendable, Hashable {
    /// CLOCK_MONOTONIC: never set, and stops while the machine is suspended.
    var monotonic: Int64
    /// CLOCK_BOOTTIME: never set, and continues while the machine is suspended.
    var boot: Int64
    /// CLOCK_REALTIME since 1970: may be set at any time.
    var wall: Int64

    /// The present reading.
    static var now: ClockReading {
        ClockReading(monotonic: Clock.monotonic, boot: Clock.boot, wall: Clock.wall)
    }
}

/// Determines the seconds of Unix time of an interval.
///
/// An interval begins where the previous one ended. If the wall clock was set in between, the interval ends at the new time and
/// keeps its real duration: it overlaps earlier intervals, or leaves a gap, once.
struct IntervalClock {
    /// An interval that is over.
    struct Interval: Sendable, Hashable {
        /// The first second and the one after the last, Unix time; the end is later than the start.
        var seconds: ClosedRange<Int64>
        /// Whether it was shorter than a second: it began in the second of the previous one.
        var isBrief = false
        /// The time by which the wall clock was set forward, ns; negative if back; 0 if it was not set.
        var step: Int64 = 0
        /// The time for which the machine was suspended, ns.
        var suspension: Int64 = 0
    }

    /// The largest difference of clocks that is ignored, ns: the wall clock is adjusted gradually, and is read later.
    private static let tolerance: Int64 = 1_000_000_000
    /// The reciprocal of the largest gradual adjustment of the wall clock (adjtimex(2): 500 ppm, and its ticks 10 %).
    private static let slew: Int64 = 8

    private var last: ClockReading
    private var end: Int64

    /// Begins the first interval.
    init(_ reading: ClockReading) {
        last = reading
        end = Self.seconds(reading.wall)
    }

    /// Ends an interval at a reading, and begins the next one.
    ///
    /// The reading may be older than the previous one if it waited in a queue.
    mutating func endInterval(at reading: ClockReading) -> Interval {
        guard reading.boot > last.boot else {
            return Interval(seconds: end - 1...end, isBrief: true)
        }
        let elapsed = reading.boot - last.boot
        let step = reading.wall - last.wall - elapsed
        let isSet = abs(step) > Self.tolerance + elapsed / Self.slew
        let suspension = elapsed - (reading.monotonic - last.monotonic)
        let newEnd = Self.seconds(reading.wall)
        let start = isSet ? newEnd - max(1, elapsed / 1_000_000_000) : end
        defer {
            last = reading
            end = newEnd
        }
        return Interval(
            seconds: min(start, newEnd - 1)...newEnd,
            isBrief: elapsed < 1_000_000_000 && start >= newEnd,
            step: isSet ? step : 0,
            suspension: suspension > Self.tolerance ? suspension : 0
        )
    }

    /// Rounds down, also before 1970.
    private static func seconds(_ nanoseconds: Int64) -> Int64 {
        let (quotient, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return rest < 0 ? quotient - 1 : quotient
    }
}
