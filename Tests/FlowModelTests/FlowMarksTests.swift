import FlowModel
import Testing

/// The marks of a flow's packets about the beginning of its connection.
@Suite struct FlowMarksTests {
    private static func marks(_ marks: FlowMarks, near: UInt32 = 0, far: UInt32 = 0) -> FlowMarks {
        marks.union(FlowMarks(rawValue: near | far << 8))
    }

    // RFC 9293, section 3.1.
    private static let (fin, syn, rst, ack): (UInt32, UInt32, UInt32, UInt32) = (0x01, 0x02, 0x04, 0x10)

    /// A packet without ACK belongs to no running connection; only packets of the end that sent first count.
    @Test(
        arguments: [
            (marks([]), true, false),
            (marks([], near: fin), true, false),
            (marks([], near: ack), false, false),
            (marks([], near: rst), false, false),
            (marks([], near: rst | ack), false, false),
            (marks(.firstEgress, near: ack), true, false),
            (marks(.firstEgress, near: rst | ack), true, true),
            (marks(.firstEgress, far: ack), false, false),
            (marks([], far: rst | ack), true, true),
            (marks([], near: ack, far: rst | ack), false, false),
            // The far end had sent before.
            (marks([], far: rst | ack | fin), true, false),
            (marks([], far: rst), true, false),
        ] as [(FlowMarks, Bool, Bool)]
    )
    func detectsBeginningWithoutFlagsAndRefusal(marks: FlowMarks, began: Bool, isRefused: Bool) {
        #expect(marks.beganWithoutFlags == began)
        #expect(marks.isRefused == isRefused)
    }

    @Test(
        arguments: [
            (marks([.firstEgress, .acceptedEgress], far: syn | ack), IPProtocol.tcp, true),
            (marks([.firstEgress, .acceptedEgress], near: rst, far: syn | ack), .tcp, true),
            (marks([.firstEgress, .acceptedEgress]), .icmp, true),
            (marks(.firstEgress, far: rst | ack), .tcp, true),
            // The near end takes part.
            (marks([.firstEgress, .acceptedEgress], near: ack, far: syn | ack), .tcp, false),
            (marks([.firstEgress, .acceptedEgress, .openedIngress], near: syn, far: syn | ack), .tcp, false),
            (marks(.acceptedEgress, far: syn | ack), .tcp, false),
            // The far end opened the connection, or the connection was running.
            (marks([.firstEgress, .openedEgress], far: syn), .tcp, false),
            (marks(.firstEgress, far: ack), .tcp, false),
            (marks(.firstEgress, far: rst), .tcp, false),
            (marks(.firstEgress), .udp, false),
        ] as [(FlowMarks, IPProtocol, Bool)]
    )
    func detectsLoneAnswer(marks: FlowMarks, proto: IPProtocol, isAlone: Bool) {
        #expect(marks.isLoneAnswer(of: proto) == isAlone)
    }
}
