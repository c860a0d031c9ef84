import FlowModel
import Testing

@testable import FlowLog

/// The traces of forwarded connections.
struct ForwardTraceTests {
    /// Beyond the limit the table counts rejected traces, and keeps those that it has.
    @Test func rejectsAndCountsTracesBeyondLimit() {
        var traces = ForwardTraces()
        let first = PolicyTrace(action: .allow, transit: ["0|a|gnp:x|allow|0"])
        #expect(traces.index(of: first) == 1)
        for number in 2...ForwardTraces.limit {
            let trace = PolicyTrace(action: .deny, transit: [])
            #expect(traces.index(of: trace) == UInt32(number))
        }
        let further = PolicyTrace(action: .deny, transit: [])
        #expect(traces.index(of: further) == nil && traces.index(of: further) == nil)
        #expect(traces.refused == 2 && traces.index(of: first) == 1 && traces[1]?.transit == first.transit)
    }
}
