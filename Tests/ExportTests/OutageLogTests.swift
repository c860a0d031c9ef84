import Testing

@testable import Export

/// The log of outages, which limits repeated messages.
struct OutageLogTests {
    private let start = ContinuousClock.now

    private func at(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }

    @Test func logsEachNewReasonOnce() {
        var log = OutageLog()
        let messages = ["refused", "refused", "401", "401"].enumerated().map { log.failed($1, now: at($0)) }
        #expect(messages[0] == .init(isFirst: true, reason: "refused", heldBack: 0))
        #expect(messages[2] == .init(isFirst: false, reason: "401", heldBack: 0))
        #expect(messages[1] == nil && messages[3] == nil)
        let ends = (0..<2).map { _ in log.ended() }
        #expect(ends == [true, false])
        let next = log.failed("401", now: at(4))
        #expect(next == .init(isFirst: true, reason: "401", heldBack: 0))
    }

    /// An output fails and recovers by turns for an hour, and then fails for good.
    @Test func limitsMessagesOfIntermittentOutput() {
        var log = OutageLog()
        var (begins, ends) = (0, 0)
        for second in 0..<3600 {
            if log.failed("closed", now: at(second)) != nil { begins += 1 }
            if log.ended() { ends += 1 }
        }
        #expect(begins == ends && begins == 5 + 59)
        let later = (3600..<3700).compactMap { log.failed("closed", now: at($0)) }
        #expect(later.count == 1 && later.first?.isFirst == true && later.first?.heldBack ?? 0 > 0)
        let isLogged = log.ended()
        #expect(isLogged)
    }

    @Test func repetitionLimitRefillsOverTime() {
        var limit = RepetitionLimit()
        let times = Array(0..<8) + [70, 71] + Array(4000..<4008)
        let heldBack = times.compactMap { limit.admit(now: at($0)) }
        #expect(heldBack == [0, 0, 0, 0, 0] + [3] + [1, 0, 0, 0, 0])
    }
}
