import Glibc

/// The clocks of a run.
enum Clock {
    /// CLOCK_MONOTONIC, ns: for durations and deadlines.
    static var monotonic: Int64 { read(CLOCK_MONOTONIC) }

    /// CLOCK_REALTIME, ns since 1970: for the times of records.
    static var wall: Int64 { read(CLOCK_REALTIME) }

    /// CLOCK_BOOTTIME, ns: like ``monotonic``, but it includes the time in which the machine is suspended.
    static var boot: Int64 { read(CLOCK_BOOTTIME) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

extension Duration {
    /// The duration in nanoseconds.
    var nanoseconds: Int64 {
        components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
    }
}

/// The times of a repeated task.
///
/// Times are CLOCK_MONOTONIC ns.
struct Schedule {
    /// The next time.
    private(set) var next: Int64
    private let interval: Int64
    private let isAligned: Bool

    /// Creates a schedule whose first time is up to one interval from now; times of an aligned one are multiples of the
    /// interval in Unix time.
    init(every interval: Duration, isAligned: Bool, now: Int64, wall: Int64) {
        self.interval = interval.nanoseconds
        self.isAligned = isAligned
        next = now
        advance(now: now, wall: wall)
    }

    /// Whether the time has come.
    func isDue(_ now: Int64) -> Bool { now >= next }

    /// Sets the next time; skips missed times.
    mutating func advance(now: Int64, wall: Int64) {
        if isAligned {
            let intoInterval = (wall % interval + interval) % interval
            let rest = interval - intoInterval
            // The wall clock may run slightly slower than this one: an event just before its time counts as on time.
            let slack = min(interval / 1000, 10_000_000)
            next = now + (rest < slack ? rest + interval : rest)
        } else {
            next = max(next + interval, now)
        }
    }
}
