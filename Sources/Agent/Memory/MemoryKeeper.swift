/// Keeps the resident memory below the limit: adjusts the memory of flows, and decides when to give memory back to the system.
///
/// It reads no clock and no memory itself.
struct MemoryKeeper {
    /// The actions to take.
    struct Decision: Equatable {
        /// The bytes that flows may use.
        var flows: Int
        /// The bytes that are reserved for interfaces with few flows.
        var reserve: Int
        /// Whether to give free memory back to the system now.
        var trims: Bool
        /// Whether the start is over: memory that only the start needed can be given back.
        var endsStart: Bool
    }

    /// The time between two checks, ns.
    static let interval: Int64 = 1_000_000_000
    /// The length of a window, ns.
    ///
    /// The uncounted resident memory is the minimum of the last one or two windows: a flood fills queues too, and the memory
    /// that it leaves behind is soon given back.
    private static let window: Int64 = 30_000_000_000
    /// The shortest and the longest pause after memory was given back, ns.
    private static let shortestPause: Int64 = 5_000_000_000
    private static let longestPause: Int64 = 40_000_000_000
    /// The least memory that is worth giving back, bytes.
    private static let worthwhile = 16 << 20
    /// The duration of the start after the first check, ns.
    private static let startTime: Int64 = 2_000_000_000

    private let plan: MemoryPlan
    private var next = Int64.min
    private var windowEnd = Int64.min
    private var least = (former: Int.max, present: Int.max)
    private var trimAt = Int64.min
    private var pause = MemoryKeeper.shortestPause
    /// The end of the start; nil before the first check.
    private var startEnd: Int64?
    /// The uncounted resident bytes, before and after memory was given back last.
    private var beforeTrim = 0
    private var afterTrim = Int.max - MemoryKeeper.worthwhile

    /// Takes the plan.
    init(_ plan: MemoryPlan) {
        self.plan = plan
    }

    /// Whether a check is due.
    mutating func isDue(_ now: Int64) -> Bool {
        guard now >= next else { return false }
        next = now + Self.interval
        return true
    }

    /// Decides what to do.
    ///
    /// - Parameters:
    ///   - resident: the resident memory of the process, bytes.
    ///   - counted: the estimated part of it that flows use, bytes.
    ///   - now: CLOCK_MONOTONIC, ns.
    /// - Returns: the bytes that flows may use, and whether to give memory back.
    mutating func decide(resident: Int, counted: Int, now: Int64) -> Decision {
        let others = max(resident - counted, 0)
        if now >= windowEnd {
            least = (windowEnd == .min ? others : least.present, others)
            windowEnd = now + Self.window
        }
        least.present = min(least.present, others)
        var flows = plan.flows(beside: min(least.former, least.present))
        let reserve = flows / 4
        // More memory is resident than planned: no new flows are kept in detail until there is less.
        let isNarrow = resident > plan.limit / 16 * 15
        if isNarrow { flows = min(flows, max(counted / 2, MemoryPlan.fewestFlowBytes)) }
        return Decision(
            flows: flows,
            reserve: reserve,
            trims: shouldTrim(others, isNarrow: isNarrow, now),
            endsStart: shouldEndStart(now)
        )
    }

    /// Whether the start has just ended; true once.
    private mutating func shouldEndStart(_ now: Int64) -> Bool {
        guard let end = startEnd else {
            startEnd = now + Self.startTime
            return false
        }
        guard now >= end else { return false }
        startEnd = .max
        return true
    }

    /// Whether to give memory back: memory that was used and is free is resident and not counted.
    private mutating func shouldTrim(_ others: Int, isNarrow: Bool, _ now: Int64) -> Bool {
        afterTrim = min(afterTrim, others)
        guard others > afterTrim + Self.worthwhile, now >= trimAt else { return false }
        trimAt = now + (isNarrow ? Self.shortestPause : pause)
        beforeTrim = others
        return true
    }

    /// Takes the resident and counted memory after memory was given back.
    ///
    /// The uncounted rest is in use. If little was given back, the next pause is longer.
    mutating func noteTrimmed(resident: Int, counted: Int) {
        afterTrim = max(resident - counted, 0)
        let wasWorthwhile = beforeTrim - afterTrim > Self.worthwhile
        pause = wasWorthwhile ? Self.shortestPause : min(pause * 2, Self.longestPause)
    }
}
