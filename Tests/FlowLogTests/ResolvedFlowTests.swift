import FlowModel
import Testing

@testable import FlowLog

@Suite struct ResolvedFlowTests {
    private static let client = IPAddress(10, 1, 0, 8)
    private static let server = IPAddress(10, 1, 0, 20)
    private static let other = IPAddress(10, 1, 0, 21)

    private static func workload(_ name: String) -> Endpoint {
        Endpoint(kind: .workload, name: name, aggregatedName: name)
    }

    private static let resolver = FakeResolver(
        owners: [client: workload("client"), server: workload("server"), other: workload("other")]
    )

    /// The client calls the server.
    private static func flow(_ reporter: FlowReporter, proto: IPProtocol) -> ResolvedFlow {
        let source = FlowEndpoint(address: client, owner: FakeResolver.privateNetwork, mayBecomeKnown: true)
        let destination = FlowEndpoint(address: server, owner: workload("server"), mayBecomeKnown: false)
        let isSource = reporter == .source
        // ICMP's numbers keep their places: identifier, then type and code.
        let inOrder = isSource || proto.isICMP
        return ResolvedFlow(
            local: isSource ? source : destination,
            remote: isSource ? destination : source,
            localPort: inOrder ? 41001 : 80,
            remotePort: inOrder ? 80 : 41001,
            proto: proto,
            reporter: reporter,
            service: ServicePort(namespace: "shop", name: "web", portName: nil, port: 8080),
            natPort: 1024
        )
    }

    @Test(arguments: FlowReporter.allCases, [IPProtocol.tcp, .icmp])
    func viewsOfBothEndsHaveTheSamePackets(reporter: FlowReporter, proto: IPProtocol) {
        let flow = Self.flow(reporter, proto: proto)
        for other in FlowReporter.allCases {
            let seen = flow.seen(by: other)
            let expected = Self.flow(other, proto: proto)
            #expect(seen.reporter == other)
            #expect(seen.packets == flow.packets)
            #expect(seen.local.address == expected.local.address && seen.remote.address == expected.remote.address)
            #expect(seen.localPort == expected.localPort && seen.remotePort == expected.remotePort)
            #expect(seen.service === flow.service && seen.natPort == 1024)
            #expect(seen.source.mayBecomeKnown && !seen.destination.mayBecomeKnown)
            #expect(seen.seen(by: reporter).packets == flow.packets)
        }
    }

    @Test(arguments: FlowReporter.allCases)
    func redirectReplacesDestination(reporter: FlowReporter) {
        var flow = Self.flow(reporter, proto: .tcp)
        flow.redirect(to: FlowDrop.Destination(address: Self.other, port: 8443), by: Self.resolver)
        #expect(flow.destination.owner.name == "other")
        #expect(flow.reporter == reporter && flow.source.address == Self.client)
        #expect(flow.packets.destination == Self.other && flow.packets.destinationPort == 8443)
        #expect(flow.packets.source == Self.client && flow.packets.sourcePort == 41001)
    }

    @Test(arguments: FlowReporter.allCases)
    func resolvesOnlyUnknownNames(reporter: FlowReporter) {
        var flow = Self.flow(reporter, proto: .tcp)
        let server = flow.destination.owner
        flow.learnNames(by: Self.resolver)
        #expect(flow.source.owner.name == "client" && !flow.source.mayBecomeKnown)
        // A known name stays, even if the address has another owner by now.
        #expect(flow.destination.owner === server)
    }

    @Test func verdictLeavesOriginalFlowUnchanged() {
        let trace = PolicyTrace(enforced: ["0|d|d.a|deny|0"])
        let flow = Self.flow(.source, proto: .tcp)
        let judged = flow.withVerdict(.deny, by: trace)
        #expect(judged.action == .deny && judged.policies === trace)
        #expect(flow.action == .allow && flow.policies == nil)
    }
}
