import Foundation
import Lab
import Testing

/// A pod sends from the address of another pod, which gets the answers: no record names the other pod as the source.
@Suite(.serialized, .needsRoot)
struct ForgedAnswerRunTests {
    /// An echo request (RFC 792) with identifier 0x77 and sequence number 1.
    private static let echo: [UInt8] = [8, 0, 0xf7, 0x87, 0, 0x77, 0, 1]
    private static let ports: (client: UInt16, closed: UInt16, other: UInt16) = (40001, 81, 82)

    /// Sends a packet to the node's side of a pod's cable, or from outside to the node's uplink.
    private func send(_ packet: [UInt8], from place: PolicyNode.Place, in lab: PolicyNode) throws {
        let destination: [UInt8] = place == .outside ? [2, 0, 0, 0, 0, 2] : [0xee, 0xee, 0xee, 0xee, 0xee, 0xee]
        let frame = Packet.ethernet(destination: destination, source: [2, 0x77, 0, 0, 0, 9], payload: packet)
        try FrameSender("eth0", in: try lab.namespace(of: place)).send(frame)
    }

    /// Policies that deny all ingress of the web server, and do not restrict its egress.
    private static let policies = """
        apiVersion: projectcalico.org/v3
        kind: NetworkPolicy
        metadata: {name: default.web, namespace: shop}
        spec: {selector: app == 'web', types: [Ingress], ingress: [{action: Deny}]}

        """

    @Test func victimOfForgedPacketsIsNotTheSource() throws {
        let lab = try PolicyNode(policies: Self.policies)
        let weir = try lab.run()
        let victim = try lab.address(of: .web, isIPv6: false, towards: .outside)
        let outside = try lab.address(of: .outside, isIPv6: false, towards: .web)
        let before = try lab.wire(.web)
        try send(Packet.ip(from: victim, to: outside, proto: 1, payload: Self.echo), from: .db, in: lab)
        let opening = Packet.tcp(
            from: victim,
            port: Self.ports.client,
            to: outside,
            port: Self.ports.closed,
            flags: 2
        )
        try send(opening, from: .db, in: lab)
        // An echo reply and a refusal.
        let isAnswered = try eventually { try lab.wire(.web).received.packets >= before.received.packets + 2 }
        try #require(isAnswered, "the answers did not arrive")
        // A sender elsewhere forged the victim's address, and only the answer passes this host.
        let answer = Packet.tcp(
            from: outside,
            port: Self.ports.other,
            to: victim,
            port: Self.ports.client,
            flags: 0x12
        )
        try send(answer, from: .outside, in: lab)
        let hasArrived = try eventually { try lab.wire(.web).received.packets >= before.received.packets + 3 }
        try #require(hasArrived, "the answer did not arrive")
        try lab.waitUntilQuiet()
        try weir.finish()

        let (name, address) = ("web-7d4f9c-x3", "\(victim)")
        let records = try weir.verdicts()
        #expect(records.filter { $0.source.name == name }.isEmpty, "\(records)")
        let received = records.filter { $0.destination.name == name && $0.destination.address == address }
        #expect(Set(received.map(\.proto)) == ["icmp", "tcp"], "\(records)")
        let areUnasked = received.allSatisfy { $0.reporter == "dst" && $0.enforced == nil && $0.action == "allow" }
        #expect(areUnasked, "\(records)")
        #expect(received.inbound == (try lab.wire(.web)).received)
        let sent = records.filter { $0.source.address == address && $0.reporter == "src" }
        #expect(sent.count == 2 && sent.allSatisfy { $0.source.name == "-" }, "\(records)")
    }
}
