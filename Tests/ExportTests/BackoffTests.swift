import Testing

@testable import Export

/// Pauses between attempts.
struct BackoffTests {
    @Test(arguments: [
        (0.0, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]),
        (1.0, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]),
        (0.5, [75, 150, 300, 600, 1200, 2400, 4800, 7500, 7500]),
    ])
    func doublesUpToLimit(chance: Double, milliseconds: [Int]) {
        var backoff = Backoff()
        for expected in milliseconds { #expect(backoff.next(chance: chance) == .milliseconds(expected)) }
        backoff.reset()
        #expect(backoff.next(chance: chance) == .milliseconds(milliseconds[0]))
    }
}
