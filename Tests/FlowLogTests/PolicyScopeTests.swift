import FlowModel
import Testing

@testable import FlowLog

/// Traffic that policies never govern.
@Suite struct PolicyScopeTests {
    private typealias Fixture = AggregatorFixture

    private static let pod = "10.1.0.1"
    private static let deny = PolicyTrace(enforced: ["0|d|d.b|deny|-1"])

    private static func flow(
        _ proto: IPProtocol,
        _ destination: String,
        port: UInt16 = 80,
        source: String = pod
    ) throws -> ResolvedFlow {
        func endpoint(_ text: String) throws -> FlowEndpoint {
            let address = try #require(IPAddress(text))
            return FlowEndpoint(address: address, owner: FakeResolver.privateNetwork, mayBecomeKnown: false)
        }
        return ResolvedFlow(
            local: try endpoint(source),
            remote: try endpoint(destination),
            localPort: 40000,
            remotePort: port,
            proto: proto,
            reporter: .source,
            service: nil,
            natPort: 0
        )
    }

    @Test(
        arguments: [
            // Queries make connections; errors belong to one.
            (.icmp, "10.1.0.2", 0x0800, false), (.icmp, "10.1.0.2", 0x0d00, false),
            (.icmp, "10.1.0.2", 0x0303, true),
            (.icmp, "10.1.0.2", 0x0b00, true), (.icmp, "10.1.0.2", 0x0c00, true), (.icmp, "10.1.0.2", 0x0500, true),
            (.icmp6, "fd00::2", 0x8000, false), (.icmp6, "fd00::2", 0x8b00, false),
            (.icmp6, "fd00::2", 0x0104, true),
            (.icmp6, "fd00::2", 0x0200, true), (.icmp6, "fd00::2", 0x0300, true), (.icmp6, "fd00::2", 0x7f00, true),
            // Neighbours, routers, listeners.
            (.icmp6, "fe80::1", 0x8700, true), (.icmp6, "fd00::2", 0x8800, true),
            (.icmp6, "ff02::2", 0x8500, true),
            (.icmp6, "ff02::16", 0x8f00, true), (.icmp6, "fd00::2", 0x8900, true), (.icmp6, "fd00::2", 0x8a01, false),
            (IPProtocol(rawValue: 2), "10.1.0.2", 0, true),
            // Destinations on the link, and beyond it.
            (.udp, "224.0.0.251", 5353, true), (.udp, "255.255.255.255", 67, true), (.udp, "ff02::1:2", 547, true),
            (.udp, "ff01::1", 1, true), (.udp, "224.0.1.1", 123, false), (.udp, "ff05::1:3", 547, false),
            (.udp, "10.1.0.255", 138, false), (.tcp, "10.1.0.2", 80, false), (.tcp, "fe80::1", 80, false),
            // A type of ICMP is a port elsewhere.
            (.udp, "10.1.0.2", 0x0300, false),
            // Itself.
            (.tcp, pod, 8080, true),
        ] as [(IPProtocol, String, UInt16, Bool)]
    )
    func detectsTrafficBeyondPolicies(proto: IPProtocol, destination: String, port: UInt16, expected: Bool) throws {
        let source = destination.contains(":") ? "fd00::1" : Self.pod
        let flow = try Self.flow(proto, destination, port: port, source: source)
        #expect(flow.isBeyondPolicies == expected)
    }

    /// Traffic of a pod to its own other address is beyond policies; traffic to another pod of the same name is not.
    @Test(arguments: [true, false])
    func trafficToOwnOtherAddressIsBeyondPolicies(isSame: Bool) throws {
        func endpoint(_ former: Endpoint? = nil) -> Endpoint {
            Endpoint(replacing: former, kind: .workload, name: "a", aggregatedName: "a", namespace: "shop")
        }
        var flow = try Self.flow(.tcp, "10.1.0.9")
        flow.local.owner = endpoint()
        flow.remote.owner = endpoint(isSame ? flow.local.owner : nil)
        #expect(flow.isBeyondPolicies == isSame)
    }

    /// Policies are not evaluated for an incoming error, or for a dropped one, now or at a flush.
    @Test(arguments: [false, true])
    func icmpErrorHasNoPolicyHits(isDenied: Bool) throws {
        var fixture = Fixture()
        fixture.aggregator.use(FakeEvaluator(generation: 1) { _ in (Self.deny, Self.deny) })
        fixture.batch { batch in
            batch.births = [
                Fixture.birth(
                    0,
                    near: Fixture.workload,
                    far: Fixture.peer,
                    nearPort: 0,
                    farPort: 3 << 8 | 3,
                    proto: .icmp,
                    role: .workload,
                    marks: .firstEgress
                )
            ]
            batch.deltas = [FlowDelta(flowID: 0, ingress: .zero, egress: TrafficCounters(packets: 1, bytes: 100))]
            guard isDenied else { return }
            let reason = DropReason(name: "NETFILTER_DROP", isDecision: true)
            batch.deltas = []
            batch.drops = [
                FlowDrop(flowID: 0, deniedEgress: TrafficCounters(packets: 1, bytes: 100), decision: reason)
            ]
        }
        let records = fixture.flush()
        #expect(records.contains { $0.action == (isDenied ? .deny : .allow) })
        #expect(records.allSatisfy { $0.policies == nil })
        #expect(fixture.aggregator.takeMismatches().isEmpty)
    }

    /// A pod calls a service whose backend is the pod itself; connection tracking gives the backend.
    @Test func hairpinConnectionHasNoPolicyHits() throws {
        var fixture = Fixture()
        let service = IPAddress(10, 96, 0, 1)
        fixture.learn { resolver in
            resolver.owners[Fixture.workload] = Endpoint(
                kind: .workload,
                name: "a",
                aggregatedName: "a",
                namespace: "shop"
            )
            resolver.localWorkloads = [Fixture.workload]
            let port = ServicePort(namespace: "shop", name: "web", portName: nil, port: 80)
            resolver.services[ServiceAddress(address: service, port: 80)] = port
        }
        fixture.aggregator.use(FakeEvaluator(generation: 1) { _ in (Self.deny, Self.deny) })
        let tracked = TrackedConnection("10.1.0.1 40000 > 10.96.0.1 80", "10.1.0.1 8080 > 10.0.0.1 1024")
        fixture.tracker.add(try #require(tracked))
        fixture.births(
            Fixture.birth(0, near: Fixture.workload, far: service, role: .workload),
            Fixture.birth(
                1,
                near: Fixture.workload,
                far: Fixture.own,
                nearPort: 8080,
                farPort: 1024,
                role: .workload,
                marks: .openedEgress
            )
        )
        let records = fixture.flush()
        #expect(records.map(\.reporter) == [.source, .destination])
        #expect(records.allSatisfy { $0.policies == nil && $0.service?.name == "web" })
        #expect(fixture.aggregator.takeMismatches().isEmpty)
    }
}
