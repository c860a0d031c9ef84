import Dispatch
import Glibc
import Testing

@testable import Agent

struct MailboxTests {
    @Test func refusesMoreThanItsLimitAndForgetsNothing() {
        let mailbox = Mailbox<Int>(limit: 3)
        #expect([1, 2, 3, 4].map { mailbox.offer($0) } == [true, true, true, false])
        #expect(mailbox.next() == 1)
        #expect(mailbox.offer(5))
        #expect(!mailbox.offer(6))
        #expect([mailbox.next(), mailbox.next(), mailbox.next()] == [2, 3, 5])
        // Room again for as many as at first.
        #expect((0..<4).map { mailbox.offer($0) } == [true, true, true, false])
    }

    @Test func carriesEverythingInOrderBetweenTwoThreads() {
        let mailbox = Mailbox<Int>(limit: 4)
        let count = 50_000
        DispatchQueue.global().async {
            for number in 0..<count {
                while !mailbox.offer(number) { sched_yield() }
            }
        }
        var isInOrder = true
        for number in 0..<count where mailbox.next() != number { isInOrder = false }
        #expect(isInOrder)
    }

    @Test func aReceiverWaitsForAMessage() {
        let mailbox = Mailbox<String>(limit: 1)
        DispatchQueue.global().async { _ = mailbox.offer("late") }
        #expect(mailbox.next() == "late")
    }
}
