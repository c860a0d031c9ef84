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
            let trace = PolicyTrace(action: .deny, transit: ["0|a|gnp:\(number)|deny|0"])
            #expect(traces.index(of: trace) == UInt32(number))
        }
        let further = PolicyTrace(action: .deny, transit: [])
        #expect(traces.index(of: further) == nil && traces.index(of: further) == nil)
        #expect(traces.refused == 2 && traces.index(of: first) == 1 && traces[1]?.transit == first.transit)
    }

    /// Traces are made anew when policies change; only their hits and their action distinguish them.
    @Test func equalTracesHaveOneNumber() {
        var traces = ForwardTraces()
        for _ in 0..<3 {
            #expect(traces.index(of: PolicyTrace(action: .allow, transit: ["0|a|gnp:x|allow|0"])) == 1)
            #expect(traces.index(of: PolicyTrace(action: .deny, transit: ["0|a|gnp:x|allow|0"])) == 2)
            #expect(traces.index(of: PolicyTrace(action: .deny, transit: [])) == 3)
        }
        #expect(traces.count == 3 && traces[0] == nil)
    }

    @Test func reusesNumbersOfForgottenTraces() {
        var traces = ForwardTraces()
        func trace(_ name: String) -> PolicyTrace { PolicyTrace(action: .deny, transit: ["0|a|gnp:\(name)|deny|0"]) }
        #expect(["a", "b", "c", "d"].map { traces.index(of: trace($0)) } == [1, 2, 3, 4])
        traces.forget(except: [0, 2, 4])
        #expect(
            traces.count == 2 && traces[2]?.transit == trace("b").transit && traces[4]?.transit == trace("d").transit
        )
        #expect(traces.index(of: trace("b")) == 2)
        #expect(Set(["a", "e"].map { traces.index(of: trace($0)) }) == [1, 3] && traces.index(of: trace("f")) == 5)
        for index in 1...5 as ClosedRange<UInt32> {
            #expect(traces[index].map { traces.index(of: $0) } == index)
        }
    }
}
