import Foundation
import Glibc
import Testing

/// The number of times that a test kills its process: a few, or `WEIR_KILLS` (scripts/check-kills).
struct Kills {
    /// The required number.
    let count: Int
    private let deadline: ContinuousClock.Instant
    private var chance: UInt64 = 1
    /// The number so far.
    private(set) var done = 0

    /// The least number of kills for a meaningful result.
    static let least = 20

    /// Creates as many as fit into a time, at least ``least``, or exactly the number in the environment.
    init(within limit: Duration) {
        let wanted = ProcessInfo.processInfo.environment["WEIR_KILLS"].flatMap { Int($0) }
        count = wanted ?? 1_000
        deadline = .now + (wanted == nil ? limit : .seconds(86_400))
    }

    /// Whether there are to be more.
    var goOn: Bool { done < count && (ContinuousClock.now < deadline || done < Self.least) }

    /// Kills a process after a random time, in microseconds, and waits for its end.
    mutating func kill(_ process: Int32, after range: ClosedRange<UInt32>) {
        chance = chance &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        usleep(range.lowerBound + UInt32(truncatingIfNeeded: chance >> 33) % (range.upperBound - range.lowerBound))
        Glibc.kill(process, SIGKILL)
        var status: Int32 = 0
        waitpid(process, &status, 0)
        done += 1
    }

    /// Prints the report that the process of a test printed of its kills.
    static func show(_ end: ExitTest.Result?) {
        print(String(decoding: end?.standardOutputContent ?? [], as: UTF8.self), terminator: "")
    }
}
