import Glibc
import Lab
import Testing

@testable import Agent

/// The tests start threads of their own, because other tests may occupy those of a pool.
struct MailboxTests {
    @Test func refusesMessagesBeyondLimit() {
        let mailbox = Mailbox<Int>(limit: 3)
        #expect([1, 2, 3, 4].map { mailbox.offer($0) } == [true, true, true, false])
        #expect(mailbox.next() == 1)
        #expect(mailbox.offer(5))
        #expect(!mailbox.offer(6))
        #expect([mailbox.next(), mailbox.next(), mailbox.next()] == [2, 3, 5])
        // Room again for as many as at first.
        #expect((0..<4).map { mailbox.offer($0) } == [true, true, true, false])
    }

    /// The limit applies to the sum of bytes, but an empty mailbox accepts a message of any size.
    @Test func refusesBytesBeyondLimit() {
        let mailbox = Mailbox<Int>(limit: 10, byteLimit: 100) { $0 }
        #expect([60, 50, 40, 1].map { mailbox.offer($0) } == [true, false, true, false])
        #expect(mailbox.next() == 60)
        #expect(!mailbox.offer(61))
        #expect(mailbox.offer(60))
        #expect([mailbox.next(), mailbox.next()] == [40, 60])
        #expect(mailbox.offer(1_000))
        #expect(!mailbox.offer(1))
        #expect(mailbox.next() == 1_000)
        #expect(mailbox.offer(1))
    }

    /// The mailbox does not keep taken messages alive.
    @Test func releasesTakenMessages() {
        final class Payload: Sendable {}
        let mailbox = Mailbox<Payload>(limit: 8)
        weak var payload: Payload?
        do {
            let first = Payload()
            payload = first
            #expect(mailbox.offer(first) && mailbox.offer(Payload()))
        }
        #expect(payload != nil)
        _ = mailbox.next()
        #expect(payload == nil)
    }

    @Test func keepsOrderBetweenThreads() throws {
        let mailbox = Mailbox<Int>(limit: 4)
        let count = 50_000
        let sending = try BackgroundWork {
            for number in 0..<count {
                while !mailbox.offer(number) { sched_yield() }
            }
        }
        var isInOrder = true
        for number in 0..<count where mailbox.next() != number { isInOrder = false }
        #expect(isInOrder)
        try sending.value()
    }

    @Test func receiverWaitsForMessage() throws {
        let mailbox = Mailbox<String>(limit: 1)
        let sending = try BackgroundWork { mailbox.offer("late") }
        #expect(mailbox.next() == "late")
        #expect(try sending.value())
    }
}
