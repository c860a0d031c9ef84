import Export
import FlowModel
import Foundation
import Logging
import Policy
import Synchronization
import Testing

@testable import Agent

/// The division of the time after the request to stop.
struct StopPlanTests {
    /// A clock that stands still until a test moves it, ns.
    private final class ManualClock: Sendable {
        let time: Atomic<Int64>
        init(_ time: Int64) { self.time = Atomic(time) }
        var now: Int64 { time.load(ordering: .relaxed) }
        func move(to milliseconds: Int64, after start: Int64) {
            time.store(start + milliseconds * 1_000_000, ordering: .relaxed)
        }
        func move(by microseconds: Int64) {
            time.add(microseconds * 1_000, ordering: .relaxed)
        }
    }

    @Test func noPartIsOverBeforeRequest() {
        let plan = StopPlan(StopSource()) { .max }
        #expect(!plan.hasBegun)
        for part in StopPlan.Part.allCases {
            #expect(!plan.isOver(part))
            #expect(plan.time(for: part, atMost: .seconds(77)) == .seconds(77))
        }
    }

    @Test(arguments: StopPlan.Part.allCases)
    func eachPartEndsAtItsTime(_ part: StopPlan.Part) {
        let clock = ManualClock(5_000_000_000)
        let plan = StopPlan(StopSource()) { clock.now }
        plan.begin()
        clock.move(to: part.rawValue - 1, after: 5_000_000_000)
        #expect(!plan.isOver(part))
        #expect(plan.time(for: part) == .milliseconds(1))
        #expect(plan.time(for: part, atMost: .microseconds(3)) == .microseconds(3))
        clock.move(to: part.rawValue, after: 5_000_000_000)
        #expect(plan.isOver(part))
        #expect(plan.time(for: part) == .zero)
        #expect(part.rawValue * 1_000_000 < StopPlan.total.nanoseconds)
    }

    @Test func laterRequestsDoNotMoveStart() {
        let clock = ManualClock(5_000_000_000)
        let stop = StopSource()
        let plan = StopPlan(stop) { clock.now }
        plan.begin()
        clock.move(to: 1_500, after: 5_000_000_000)
        plan.begin()
        stop.stop()
        clock.move(to: StopPlan.Part.questions.rawValue, after: 5_000_000_000)
        #expect(plan.isOver(.questions))
    }

    @Test func stopSourceKeepsTimeOfFirstRequest() throws {
        let stop = StopSource()
        #expect(stop.requestedAt == nil)
        let before = Clock.monotonic
        stop.stop()
        let first = try #require(stop.requestedAt)
        #expect(before...Clock.monotonic ~= first)
        stop.stop()
        #expect(stop.requestedAt == first)
    }

    /// A connection tracker that takes 500 µs of a clock for an answer.
    private final class SlowTracker: ConnectionTracker, Sendable {
        let asked = Atomic(0)
        private let clock: ManualClock

        init(_ clock: ManualClock) {
            self.clock = clock
        }

        func connection(of packets: TrackedConnection.Tuple) -> TrackedConnection? {
            asked.add(1, ordering: .relaxed)
            clock.move(by: 500)
            return nil
        }

        func connections(of packets: [TrackedConnection.Tuple]) -> [TrackedConnection?] {
            packets.map(connection)
        }
    }

    /// The clocks, seconds after a start.
    private static func reading(_ seconds: Int64) -> ClockReading {
        let time = seconds * 1_000_000_000
        return ClockReading(monotonic: 1_000_000_000 + time, boot: 2_000_000_000 + time, wall: 1_000_000_000_000 + time)
    }

    private static let host = IPAddress(10, 1, 0, 1)

    /// New connections to the host, each of one packet.
    private static func batch(_ flowIDs: Range<UInt32>) -> FlowBatch {
        var batch = FlowBatch()
        for flowID in flowIDs {
            let key = FlowKey(
                interfaceIndex: 1,
                near: IPAddress(10, 2, UInt8(flowID >> 8 & 0xff), UInt8(flowID & 0xff)),
                far: host,
                nearPort: UInt16(truncatingIfNeeded: 1024 + flowID >> 16),
                farPort: 80,
                proto: .tcp
            )
            batch.births.append(
                FlowBirth(flowID: flowID, key: key, role: .host, marks: .openedIngress, joined: false)
            )
            batch.deltas.append(
                FlowDelta(flowID: flowID, ingress: TrafficCounters(packets: 1, bytes: 60), egress: .zero)
            )
        }
        return batch
    }

    private static func outputs(_ folder: TemporaryFolder, _ logger: Logger) throws -> LiveOutputs {
        let settings = OutputSettings(
            hostName: "node",
            memoryLimit: MemoryPlan.defaultLimit,
            logger: logger,
            onClosed: {}
        )
        let outputs = LiveOutputs(settings)
        try outputs.open([OutputConfiguration(.file(path: folder.file("records")))], after: nil)
        return outputs
    }

    /// When the time for detail is over, packets are in records without the other end, and none is missing.
    @Test func pipelineSumsRemainingFlowsWhenTimeIsOver() throws {
        let folder = try TemporaryFolder()
        let keeper = InventoryKeeper(hostName: "node", hasSources: false, policyFormat: .enterprise)
        let known = InventoryKeeper.Snapshots(inventory: keeper.replaceOwnAddresses(with: [Self.host]))
        let clock = ManualClock(1_000_000_000)
        let plan = StopPlan(StopSource()) { clock.now }
        let board = LossBoard()
        let outputs = try Self.outputs(folder, LogRecorder().logger)
        var pipeline = Pipeline(
            AgentConfiguration(),
            known: known,
            tracker: nil,
            outputs: outputs,
            plan: plan,
            losses: board,
            board: RunBoard(),
            lacksDrops: false,
            tally: RecordTally(),
            intervals: LiveIntervals(AgentConfiguration()),
            logger: LogRecorder().logger,
            start: Self.reading(0)
        )
        plan.begin()
        clock.move(to: StopPlan.Part.detail.rawValue, after: 1_000_000_000)
        let mailbox = Mailbox<Pipeline.Message>(limit: 64)
        for chunk in 0..<UInt32(10) {
            #expect(mailbox.offer(.flows(Self.batch(chunk * 1_000..<(chunk + 1) * 1_000))))
        }
        mailbox.insist(.end(Self.reading(10)))
        pipeline.run(mailbox)
        #expect(outputs.finish(by: .now + .seconds(30)).map { $0.statistics.dropped } == [0])
        let sums = RecordSums(try folder.lines("records").map { try RecordLine($0) })
        #expect(sums.totalReceived == Count(10_000, 600_000))
        #expect(board.last.reducedFlows == 10_000)
        #expect(board.last.remainderPackets == 10_000)
    }

    /// 10,000 new flows wait, and connection tracking would take 5 s for all: every packet is in a record in time.
    @Test func latePipelineFinishesInTime() throws {
        let folder = try TemporaryFolder()
        let keeper = InventoryKeeper(hostName: "node", hasSources: false, policyFormat: .enterprise)
        let known = InventoryKeeper.Snapshots(inventory: keeper.replaceOwnAddresses(with: [Self.host]))
        let clock = ManualClock(1_000_000_000)
        let plan = StopPlan(StopSource()) { clock.now }
        let tracker = SlowTracker(clock)
        let recorder = LogRecorder()
        let board = LossBoard()
        let outputs = try Self.outputs(folder, recorder.logger)
        var configuration = AgentConfiguration()
        configuration.levelForAllowed = .none
        // Other tests of this process take memory, too.
        configuration.memoryLimit = 16 << 30
        var pipeline = Pipeline(
            configuration,
            known: known,
            tracker: tracker,
            outputs: outputs,
            plan: plan,
            losses: board,
            board: RunBoard(),
            lacksDrops: false,
            tally: RecordTally(),
            intervals: LiveIntervals(AgentConfiguration()),
            logger: recorder.logger,
            start: Self.reading(0)
        )
        let mailbox = Mailbox<Pipeline.Message>(limit: 64)
        for chunk in 0..<UInt32(10) {
            #expect(mailbox.offer(.flows(Self.batch(chunk * 1_000..<(chunk + 1) * 1_000))))
        }
        mailbox.insist(.end(Self.reading(10)))

        plan.begin()
        pipeline.run(mailbox)
        let statistics = try #require(outputs.finish(by: .now + .seconds(30)).first?.statistics)
        #expect(clock.now - 1_000_000_000 < StopPlan.Part.records.rawValue * 1_000_000)
        #expect(tracker.asked.load(ordering: .relaxed) > 0)
        #expect(board.last.unaskedFlows > 0)
        #expect(statistics.delivered == 10_000)
        #expect(folder.lines("records").count == 10_000)
    }
}
