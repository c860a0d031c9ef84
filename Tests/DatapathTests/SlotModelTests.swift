import SlotModel
import Testing

/// Every interleaving of two CPUs and the agent on the code that ships, for small sizes.
///
/// A state that contradicts the account, and whatever is left behind at the end, is a fault.
@Suite("Slot protocol, every interleaving", .serialized)
struct SlotModelTests {
    /// The actions of two CPUs and the agent.
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var model: slot_model
        /// Whether some way must lead to a flow with two slots.
        var makesDuplicates = false

        var testDescription: String { name }

        /// Packets are written as a letter each: `a` and `b` are flows that enter, `A` and `B` the same flows leaving,
        /// `h` is a packet of `a` that is so large that two of them make a lane spill, `d` a dropped packet of `a`.
        init(
            _ name: String,
            _ first: String,
            _ second: String = "",
            slots: UInt8,
            scans: UInt8 = 1,
            makesDuplicates: Bool = false,
            adjust: (inout slot_model) -> Void = { _ in }
        ) {
            self.name = name
            self.makesDuplicates = makesDuplicates
            model = slot_model()
            model.slots = slots
            model.scans = scans
            model.scans_end_flows = true
            model.states = 2_000_000
            for (cpu, packets) in [first, second].enumerated() {
                for letter in packets {
                    var packet = slot_model_packet()
                    packet.flow = letter.lowercased() == "b" ? 2 : 1
                    packet.direction = letter.isUppercase ? 1 : 0
                    packet.is_huge = letter == "h"
                    packet.is_dropped = letter == "d"
                    slot_model_add(&model, Int32(cpu), packet)
                }
            }
            adjust(&model)
        }
    }

    private static let cases = [
        Case("one flow begins on two CPUs and ends", "aa", "a", slots: 2, makesDuplicates: true),
        Case("both directions of a flow begin on two CPUs", "aA", "A", slots: 2, makesDuplicates: true),
        Case("two flows in one slot, one after the other", "a", "B", slots: 1, scans: 2),
        Case("two flows in two slots: tombstones and free slots", "ab", "b", slots: 2, makesDuplicates: true),
        Case("two flows in four slots, two scans", "ab", "b", slots: 4, scans: 2, makesDuplicates: true),
        Case("a slot that is claimed again", "aa", "", slots: 2, scans: 2),
        Case("the first packet is dropped", "aa", "d", slots: 2, makesDuplicates: true),
        Case("lanes change their owners", "aa", "a", slots: 1) {
            $0.takes_lanes = true
            $0.scans_end_flows = false
        },
        Case("a lane spills while it is read", "hha", "", slots: 1, scans: 2) { $0.scans_end_flows = false },
        Case("a lane spills while its flow ends", "hha", "", slots: 1),
        Case("a lane spills while another CPU adds", "hh", "a", slots: 1) { $0.scans_end_flows = false },
        Case("a lane spills while it changes its owner", "hh", "", slots: 1, scans: 2) {
            $0.takes_lanes = true
            $0.scans_end_flows = false
        },
        Case("nobody owns a lane", "aa", "a", slots: 2, makesDuplicates: true) { $0.owns_nothing = true },
    ]

    @Test(arguments: cases)
    func countsEveryPacketOnce(_ example: Case) {
        var model = example.model
        let result = slot_model_run(&model)
        #expect(result.fault.map { String(cString: $0) } == nil, "after \(result.depth) steps")
        #expect(result.is_complete, "more than \(result.states) states")
        #expect(result.ends > 0)
        #expect(!example.makesDuplicates || result.duplicates > 0)
    }

    /// The model reports a fault if the agent does not wait for running programs.
    @Test(arguments: [
        Case("the agent frees slots without waiting", "aa", "a", slots: 2) { $0.skips_fence = true },
        Case("the agent gives lanes away without waiting", "aa", "a", slots: 1) {
            $0.takes_lanes = true
            $0.scans_end_flows = false
            $0.skips_owner_fence = true
        },
    ])
    func modelDetectsMissingFences(_ example: Case) {
        var model = example.model
        let result = slot_model_run(&model)
        #expect(result.fault != nil, "\(result.states) states")
    }
}
