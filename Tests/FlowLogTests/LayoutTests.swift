import FlowModel
import Testing

@testable import FlowLog

/// The sizes of types of which the flow log keeps hundreds of thousands of values.
@Suite struct LayoutTests {
    @Test func flowTypesStayWithinTheirSizes() {
        #expect(MemoryLayout<PackedFlowState>.stride == 8)
        #expect(MemoryLayout<Flow>.stride == 32)
        #expect(MemoryLayout<GroupKey>.stride == 32)
        #expect(MemoryLayout<Conversation>.stride <= 80)
        #expect(MemoryLayout<DeniedFlow>.stride <= 384)
    }
}
