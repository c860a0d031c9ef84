import CWeir
import FlowModel
import Testing

@testable import Datapath

/// The treatment of reasons.
@Suite("Reasons for drops")
struct DropReasonTests {
    @Test(arguments: [
        ("SKB_DROP_REASON_NETFILTER_DROP", "NETFILTER_DROP"), ("SKB_CONSUMED", "CONSUMED"),
        ("SKB_NOT_DROPPED_YET", "NOT_DROPPED_YET"), ("OTHER", "OTHER"),
    ])
    func removesPrefixOfReasonName(_ name: String, _ short: String) {
        #expect(DropReasons.shortened(name) == short)
    }

    @Test(arguments: [
        ("NETFILTER_DROP", true), ("TC_INGRESS", true), ("TC_EGRESS", true), ("XDP", true), ("IP_RPFILTER", true),
        ("SOCKET_FILTER", true), ("BPF_CGROUP_EGRESS", true), ("NO_SOCKET", false), ("QDISC_DROP", false),
        ("A_REASON_OF_THE_FUTURE", false),
    ])
    func classifiesReasonsAsDecisionOrTrouble(_ name: String, _ isDecision: Bool) throws {
        // The number of a reason differs between kernels.
        let reasons = DropReasons(names: [41: name, 3: "CONSUMED"])
        let reason = try #require(reasons.byNumber[41])
        #expect(reason.name == name && reason.isDecision == isDecision)
        #expect(reasons.byNumber.count == 42)
        let kind = Int32(reasons.bits[41]) & WEIR_DROP_CLASS
        #expect(kind == (isDecision ? WEIR_DROP_DECISION : WEIR_DROP_TROUBLE))
    }

    @Test(arguments: ["TCP_OLD_SEQUENCE", "CONSUMED", "OTHERHOST", "PACKET_SOCK_ERROR"])
    func ignoresIrrelevantReasons(_ name: String) {
        let reasons = DropReasons(names: [5: name])
        #expect(reasons.byNumber.compactMap { $0 }.isEmpty)
        #expect(reasons.bits.allSatisfy { $0 == UInt8(WEIR_DROP_IGNORED) })
    }

    /// A drop without a reason gets the reason of the kernel function that dropped it, for some functions.
    @Test func dropPlaceDeterminesUnspecifiedReason() throws {
        let names = [2: "NOT_SPECIFIED", 7: "XDP", 9: "NETFILTER_DROP"]
        let functions: [String: Range<UInt64>] = [
            "do_xdp_generic": 100..<200, "other": 1..<2, "nfqnl_reinject": 300..<400,
        ]
        let reasons = DropReasons(names: names, functions: functions)
        #expect(reasons.byNumber[2] == nil)
        #expect(Int32(reasons.bits[2]) == WEIR_DROP_BY_PLACE)
        let places = reasons.places.sorted { $0.start < $1.start }
        #expect(places.map(\.start) == [100, 300] && places.map(\.end) == [200, 400])
        #expect(places.map(\.reason) == [7, 9])
        #expect(places.map { Int32($0.kind) } == [WEIR_DROP_DECISION | WEIR_DROP_BEFORE_INGRESS, WEIR_DROP_DECISION])
        // A kernel without these reasons has no such places.
        #expect(DropReasons(names: [2: "NOT_SPECIFIED"], functions: functions).places.isEmpty)
    }

    @Test func ignoresReasonNumbersBeyondTable() {
        let reasons = DropReasons(names: [-1: "NETFILTER_DROP", 512: "NETFILTER_DROP", 0x1_0003: "XDP"])
        #expect(reasons.byNumber.count == 1)
        #expect(reasons.bits.count == Int(WEIR_DROP_REASONS))
    }
}

extension KernelTests {
    /// The running kernel's own names.
    @Suite("Reasons of this kernel")
    struct KernelDropReasonTests {
        @Test func runningKernelHasRequiredReasons() throws {
            guard case .available(let reasons) = DropReasons.read() else {
                Issue.record("this kernel gives no reasons")
                return
            }
            let names = Set(reasons.byNumber.compactMap { $0?.name })
            #expect(names.isSuperset(of: ["NETFILTER_DROP", "NO_SOCKET", "IP_RPFILTER", "TC_INGRESS", "XDP"]))
            let starts = Set(reasons.places.map(\.start))
            #expect(!starts.isEmpty && !starts.contains(0))
            #expect(reasons.places.allSatisfy { $0.end > $0.start && $0.end - $0.start < 0x4000 })
            #expect(names.isDisjoint(with: ["NOT_SPECIFIED", "CONSUMED", "MAX", "SUBSYS_MASK"]))
        }
    }
}
