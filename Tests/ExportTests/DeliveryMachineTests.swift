import Testing

@testable import Export

/// The decisions of an output, without a socket or a clock.
struct DeliveryMachineTests {
    private let start = ContinuousClock.now
    private let batch = RecordBatch(bytes: Array("one\ntwo\nthree\n".utf8), records: 3)

    private func machine(_ resumption: SinkResumption) -> DeliveryMachine {
        DeliveryMachine(resumption: resumption, now: start, chance: { 1 })
    }

    /// A machine whose sink is open and that holds the batch.
    private func writing(_ resumption: SinkResumption) -> DeliveryMachine {
        var machine = machine(resumption)
        #expect(machine.next(now: start) == .take)
        machine.took(batch)
        #expect(machine.next(now: start) == .open)
        #expect(machine.opened(now: start) == .opened)
        #expect(machine.next(now: start) == .write)
        return machine
    }

    private func text(_ machine: DeliveryMachine) -> String? {
        machine.unwritten.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func opensWritesAndWaitsForMore() {
        var machine = writing(.wholeLine)
        #expect(machine.wrote(5, drops: .init(), now: start).0 == nil)
        #expect(text(machine) == "wo\nthree\n")
        machine.blocked()
        #expect(machine.next(now: start) == .wait(.writing, until: nil))
        machine.sinkIsReady()
        #expect(machine.next(now: start) == .write)
        #expect(machine.wrote(9, drops: .init(), now: start).0 == .init(bytes: 14, delivered: 3))
        #expect(machine.next(now: start) == .take)
        machine.took(nil)
        #expect(machine.next(now: start) == .wait(.hangUp, until: nil))
        machine.woken()
        #expect(machine.next(now: start) == .take)
    }

    /// The bytes that were accepted, the text where a new connection begins, and the text where a file continues.
    @Test(arguments: [
        (0, "one\ntwo\nthree\n", "one\ntwo\nthree\n"), (3, "one\ntwo\nthree\n", "\ntwo\nthree\n"),
        (4, "two\nthree\n", "two\nthree\n"), (7, "two\nthree\n", "\nthree\n"), (13, "three\n", "\n"),
    ])
    func resumesAfterFailure(accepted: Int, onNewConnection: String, inFile: String) {
        var socket = writing(.wholeLine)
        _ = socket.wrote(accepted, drops: .init(), now: start)
        #expect(socket.failed(SinkFailure("gone", .reopen), now: start) == .away("gone"))
        #expect(text(socket) == onNewConnection)
        #expect(socket.next(now: start) == .wait(.nothing, until: start + .milliseconds(100)))
        #expect(socket.next(now: start + .milliseconds(100)) == .open)

        var file = writing(.sameByte)
        _ = file.wrote(accepted, drops: .init(), now: start)
        #expect(file.failed(SinkFailure("full", .retry), now: start) == .away("full"))
        #expect(text(file) == inFile)
        #expect(file.next(now: start) == .wait(.nothing, until: start + .milliseconds(100)))
        #expect(file.next(now: start + .milliseconds(100)) == .write)
        let (settlement, notice) = file.wrote(14 - accepted, drops: .init(), now: start + .seconds(1))
        #expect(settlement == .init(bytes: 14, delivered: 3))
        #expect(notice == .back(after: .seconds(1)))
    }

    @Test func reportsAwayAndBackOnce() {
        var machine = machine(.wholeLine)
        machine.took(nil)
        var now = start
        #expect(machine.openFailed("refused", now: now) == .away("refused"))
        for pause in [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000] {
            #expect(machine.next(now: now) == .wait(.nothing, until: now + .milliseconds(pause)))
            now += .milliseconds(pause)
            #expect(machine.next(now: now) == .open)
            #expect(machine.openFailed("refused", now: now) == nil)
        }
        #expect(machine.opened(now: now) == .back(after: now - start))
        #expect(machine.reconnects == 0)
    }

    @Test func backsOffForShortLivedConnections() {
        var machine = machine(.wholeLine)
        machine.took(nil)
        var pauses: [Duration] = []
        for lasted in [0, 0, 0, 11, 0] {
            _ = machine.opened(now: start)
            let lost = start + .seconds(lasted)
            _ = machine.failed(SinkFailure("gone", .reopen), now: lost)
            guard case .wait(.nothing, let until?) = machine.next(now: lost) else { continue }
            pauses.append(until - lost)
        }
        #expect(pauses == [100, 200, 400, 100, 200].map { .milliseconds($0) })
        #expect(machine.reconnects == 4)
    }

    /// A server that fails now and then, and answers late each time, gets a short pause each time.
    @Test func resetsBackoffAfterLateAnswer() {
        var machine = writing(.wholeLine)
        var now = start
        for _ in 0..<20 {
            #expect(machine.failed(SinkFailure("503", .retry), now: now) == .away("503"))
            #expect(!machine.isOpen)
            #expect(machine.next(now: now) == .wait(.nothing, until: now + .milliseconds(100)))
            now += .milliseconds(100)
            #expect(machine.next(now: now) == .write)
            machine.blocked()
            // The server has not answered the retry, so nobody should wait for the output.
            #expect(!machine.isOpen)
            #expect(machine.next(now: now) == .wait(.writing, until: nil))
            machine.sinkIsReady()
            #expect(machine.next(now: now) == .write)
            let (settlement, notice) = machine.wrote(14, drops: .init(), now: now)
            #expect(settlement == .init(bytes: 14, delivered: 3) && notice == .back(after: .milliseconds(100)))
            #expect(machine.isOpen)
            machine.took(batch)
        }
    }

    @Test func givesUpOpeningAtLimit() {
        var machine = machine(.wholeLine)
        machine.took(nil)
        machine.openIsPending(now: start)
        let limit = start + DeliveryMachine.openingLimit
        #expect(machine.next(now: start) == .wait(.opening, until: limit))
        machine.sinkIsReady()
        #expect(machine.next(now: start) == .open)
        // Still pending: the limit counts from the beginning.
        machine.openIsPending(now: start + .seconds(5))
        #expect(machine.next(now: start + .seconds(5)) == .wait(.opening, until: limit))
        #expect(machine.next(now: limit) == .giveUpOpening)
    }

    @Test func stopsWhenAllIsWrittenOrAtDeadline() {
        var machine = writing(.wholeLine)
        let limit = start + .seconds(1)
        machine.stop(by: limit)
        machine.stop(by: start + .seconds(2))
        machine.blocked()
        #expect(machine.next(now: start) == .wait(.writing, until: limit))
        machine.sinkIsReady()
        #expect(machine.next(now: start) == .write)
        var late = machine
        _ = machine.wrote(14, drops: .init(), now: start)
        #expect(machine.next(now: start) == .take)
        machine.took(nil)
        #expect(machine.next(now: start) == .end)
        #expect(machine.abandon() == nil)

        _ = late.wrote(6, drops: .init(), now: start)
        #expect(late.next(now: limit) == .end)
        #expect(late.tornBytes == 2)
        #expect(late.abandon() == .init(bytes: 14, delivered: 1, drops: .init(unsent: 2)))
    }

    /// A batch and the stop may both come between finding the queue empty and looking at it again.
    @Test func checksQueueOnceMoreBeforeStop() {
        var machine = machine(.wholeLine)
        machine.took(nil)
        _ = machine.opened(now: start)
        machine.stop(by: start + .seconds(1))
        #expect(machine.next(now: start) == .take)
        machine.took(batch)
        machine.stop(by: start + .seconds(1))
        #expect(machine.next(now: start) == .write)
    }

    @Test func stopEndsBackoff() {
        var machine = machine(.wholeLine)
        machine.took(batch)
        _ = machine.openFailed("refused", now: start)
        machine.stop(by: start + .milliseconds(10))
        // The machine tries once more at once: the reader may be back.
        #expect(machine.next(now: start) == .open)
        _ = machine.openFailed("refused", now: start)
        machine.stop(by: start + .milliseconds(10))
        #expect(machine.next(now: start) == .wait(.nothing, until: start + .milliseconds(10)))
        #expect(machine.next(now: start + .milliseconds(10)) == .end)
        #expect(machine.abandon() == .init(bytes: 14, delivered: 0, drops: .init(unsent: 3)))
    }

    @Test func countsRecordsDroppedBySink() {
        var machine = writing(.wholeLine)
        _ = machine.wrote(4, drops: .init(refused: 1), now: start)
        let settlement = machine.wrote(10, drops: .init(), now: start).0
        #expect(settlement == .init(bytes: 14, delivered: 2, drops: .init(refused: 1)))
        var abandoned = writing(.wholeLine)
        _ = abandoned.wrote(8, drops: .init(refused: 1), now: start)
        #expect(abandoned.abandon() == .init(bytes: 14, delivered: 1, drops: .init(refused: 1, unsent: 1)))
    }

    @Test func endsAfterPermanentFailure() {
        var machine = writing(.sameByte)
        #expect(
            machine.failed(SinkFailure("its reader has closed", .never), now: start) == .ended("its reader has closed")
        )
        #expect(machine.next(now: start) == .end)
    }
}
