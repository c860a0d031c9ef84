import FlowModel
import Testing

@testable import FlowLog

/// There are hundreds of thousands of each of these.
@Suite struct LayoutTests {
    @Test func whatIsKeptByTheThousandIsSmall() {
        #expect(MemoryLayout<PackedFlowState>.stride == 8)
        #expect(MemoryLayout<Flow>.stride == 32)
        #expect(MemoryLayout<GroupKey>.stride == 32)
        #expect(MemoryLayout<Conversation>.stride <= 80)
        #expect(MemoryLayout<DeniedFlow>.stride <= 384)
    }
}
