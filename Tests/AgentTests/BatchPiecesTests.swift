import FlowModel
import Testing

@testable import Agent

/// The pieces of a batch together hold its items, in an order that a consumer can process.
struct BatchPiecesTests {
    private static func birth(_ flowID: UInt32) -> FlowBirth {
        let address = IPAddress(10, 0, 0, 1)
        let key = FlowKey(interfaceIndex: 1, near: address, far: address, nearPort: 1, farPort: 2, proto: .tcp)
        return FlowBirth(flowID: flowID, key: key, role: .workload, marks: [], joined: false)
    }

    private static func delta(_ flowID: UInt32) -> FlowDelta {
        FlowDelta(flowID: flowID, ingress: TrafficCounters(packets: 1, bytes: UInt64(flowID)), egress: .zero)
    }

    @Test func smallBatchIsNotSplit() {
        var batch = FlowBatch()
        batch.births = (0..<3).map(Self.birth)
        batch.ends = [1]
        let pieces = batch.pieces(of: 3)
        #expect(pieces.map(\.births) == [batch.births])
        #expect(pieces.map(\.ends) == [[1]])
    }

    @Test(arguments: [1, 2, 3, 7]) func piecesContainEachItemOnce(size: Int) throws {
        var batch = FlowBatch()
        batch.births = (0..<20).map(Self.birth)
        // Flow 90 began before this batch; the deltas are in another order than the births.
        batch.deltas = [90].map(Self.delta) + (0..<20).reversed().map(Self.delta)
        batch.drops = [19, 0, 90].map { FlowDrop(flowID: $0) }
        batch.sockets = [7, 90].map { FlowSocket(flowID: $0, isNear: true, statistics: TCPStatistics()) }
        batch.ends = [3, 90]
        batch.remainders = [FlowRemainder(interfaceIndex: 1, role: .host, local: nil)]
        let pieces = batch.pieces(of: size)
        #expect(pieces.allSatisfy { $0.births.count <= size })
        #expect(pieces.flatMap(\.births) == batch.births)
        #expect(pieces.flatMap(\.deltas).count == batch.deltas.count)
        #expect(pieces.flatMap(\.drops).count == batch.drops.count)
        #expect(Set(pieces.flatMap(\.sockets).map(\.flowID)) == [7, 90])
        #expect(pieces.flatMap(\.remainders) == batch.remainders)
        let last = try #require(pieces.last)
        #expect(last.ends == batch.ends)
        #expect(pieces.dropLast().allSatisfy { $0.ends.isEmpty })
        for piece in pieces {
            let born = Set(piece.births.map(\.flowID))
            #expect(piece.deltas.allSatisfy { born.contains($0.flowID) || $0.flowID == 90 })
            #expect(piece.drops.allSatisfy { born.contains($0.flowID) || $0.flowID == 90 })
            #expect(piece.sockets.allSatisfy { born.contains($0.flowID) || $0.flowID == 90 })
        }
    }
}
