import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

extension KernelTests {
    @Suite("Workload roles")
    struct WorkloadRoleTests {
        private static let pod = IPAddress(10, 0, 0, 5)
        private static let pod6 = IPAddress(ipv6High: 0xfd05_0000_0000_0000, low: 5)

        private static func configuration(_ selection: InterfaceSelection) -> DatapathConfiguration {
            DatapathConfiguration(interfaces: selection, tableSlots: 1024)
        }

        /// A namespace with the pair v0, v1, of which v0 is watched.
        private static func pair() throws -> (NetworkNamespace, Monitor) {
            let namespace = try NetworkNamespace()
            try namespace.ipBatch([
                "link add v0 index 10 type veth peer name v1 index 11", "link set v0 up", "link set v1 up",
            ])
            return (namespace, try Monitor(in: namespace, configuration(InterfaceSelection(include: ["v0"]))))
        }

        private static func changed(_ role: InterfaceRole, _ reason: RoleReason) -> Datapath.Notice {
            .roleChanged(name: "v0", index: 10, role: role, reason: reason)
        }

        private static let routed = changed(.workload, .route(to: pod))
        private static let alone = changed(.host, .pattern("v0"))

        @Test func detectsWorkloadByPluginName() throws {
            let namespace = try NetworkNamespace()
            try namespace.ipBatch([
                "link add cali1 index 10 type veth peer name eth0 index 11", "link add cali2 index 12 type bridge",
            ])
            let selection = InterfaceSelection(include: ["cali?", "eth0"])
            let monitor = try Monitor(in: namespace, Self.configuration(selection))
            var reasons: [String: RoleReason] = [:]
            for case .attached(let name, _, let role, let reason, _) in monitor.notices {
                reasons[name] = reason
                #expect(role == (name == "cali1" ? .workload : .host))
            }
            #expect(
                reasons == ["cali1": .plugin("Calico"), "cali2": .pattern("cali?"), "eth0": .pattern("eth0")]
            )
            try monitor.stop()
        }

        @Test(arguments: [(pod, "10.0.0.5/32"), (pod6, "fd05::5/128")])
        func addressOnExistingRouteMakesWorkload(_ address: IPAddress, _ prefix: String) throws {
            let (namespace, monitor) = try Self.pair()
            try namespace.ip("route add \(prefix) dev v0")
            try monitor.follow()
            // A route alone changes no role.
            #expect(monitor.changes.isEmpty)
            try monitor.perform { $0.setWorkloadAddresses([address, IPAddress(10, 9, 9, 9)]) }
            #expect(monitor.changes == [Self.changed(.workload, .route(to: address))])
            // And again.
            try monitor.perform { $0.setWorkloadAddresses([address, IPAddress(10, 9, 9, 8)]) }
            #expect(monitor.changes.count == 1)
            try monitor.perform { $0.setWorkloadAddresses([]) }
            #expect(monitor.changes.dropFirst() == [Self.alone])
            try monitor.stop()
        }

        @Test(arguments: [(pod, "10.0.0.5/32"), (pod6, "fd05::5/128")])
        func routeToKnownAddressMakesWorkload(_ address: IPAddress, _ prefix: String) throws {
            let (namespace, monitor) = try Self.pair()
            try monitor.perform { $0.setWorkloadAddresses([address]) }
            #expect(monitor.changes.isEmpty)
            try namespace.ip("route add \(prefix) dev v0")
            try monitor.follow()
            #expect(monitor.changes == [Self.changed(.workload, .route(to: address))])
            try namespace.ip("route del \(prefix)")
            try monitor.follow()
            #expect(monitor.changes.dropFirst() == [Self.alone])
            #expect(monitor.detached.isEmpty)
            try monitor.stop()
        }

        /// Routes that do not show a workload.
        @Test(arguments: [
            "10.0.0.0/24 dev v0", "blackhole 10.0.0.5/32", "10.0.0.5/32 dev lo", "10.0.0.6/32 dev v0",
            "10.0.0.5/32 nexthop dev v0 nexthop dev v1", "local 10.0.0.5/32 dev v0",
        ])
        func otherRoutesAreIgnored(_ route: String) throws {
            let (namespace, monitor) = try Self.pair()
            try monitor.perform { $0.setWorkloadAddresses([Self.pod]) }
            try namespace.ip("route add \(route)")
            try monitor.follow()
            #expect(monitor.changes.isEmpty)
            try monitor.stop()
        }

        /// The role follows the route, and is reset where the kernel removes the route without a message.
        @Test func roleFollowsMovedRoute() throws {
            let (namespace, monitor) = try Self.pair()
            try namespace.ip("address add 192.0.2.1/32 dev lo")
            try namespace.ip("route add 10.0.0.5/32 dev v0")
            try monitor.perform { $0.setWorkloadAddresses([Self.pod]) }
            #expect(monitor.changes == [Self.routed])
            try namespace.ip("route replace 10.0.0.5/32 dev lo")
            try monitor.follow()
            #expect(monitor.changes == [Self.routed, Self.alone])
            try namespace.ip("route replace 10.0.0.5/32 dev v0 src 192.0.2.1")
            try monitor.follow()
            #expect(monitor.changes == [Self.routed, Self.alone, Self.routed])
            try namespace.ip("address del 192.0.2.1/32 dev lo")
            try monitor.follow()
            #expect(monitor.changes == [Self.routed, Self.alone, Self.routed, Self.alone])
            try namespace.ip("route add 10.0.0.5/32 dev v0")
            try monitor.follow()
            try namespace.ip("link set v0 down")
            try monitor.follow()
            #expect(monitor.changes.dropFirst(4) == [Self.routed, Self.alone])
            try monitor.stop()
        }

        /// A node may have a million routes to networks: their changes do not even reach the socket.
        @Test func networkRoutesDoNotReachSocket() throws {
            let (namespace, monitor) = try Self.pair()
            try monitor.follow()
            let lines = (0..<500).map { "route add 10.\(1 + $0 / 250).\($0 % 250).0/24 dev v0" }
            try namespace.ipBatch(lines)
            let descriptor = try monitor.perform { $0.descriptors.interfaces }
            #expect(!isReadable(descriptor, within: 0))
            // Routes to single addresses do, and those that are no workload's change nothing.
            try namespace.ipBatch((1..<100).map { "route add 10.0.1.\($0)/32 dev v0" })
            #expect(isReadable(descriptor, within: 0))
            #expect(try !monitor.follow())
            #expect(!isReadable(descriptor, within: 0))
            try monitor.stop()
        }

        /// The kernel's messages do not fit into the socket: a new dump recovers the lost route.
        @Test func recoversMissedRoutes() throws {
            let (namespace, monitor) = try Self.pair()
            try monitor.perform { datapath in
                datapath.setWorkloadAddresses([Self.pod])
                var bytes: Int32 = 1
                let size = socklen_t(MemoryLayout<Int32>.size)
                try #require(setsockopt(datapath.descriptors.interfaces, SOL_SOCKET, SO_RCVBUF, &bytes, size) == 0)
            }
            let others = (1..<200).map { "route add 10.0.1.\($0)/32 dev v0" }
            try namespace.ipBatch(others + ["route add 10.0.0.5/32 dev v0"])
            try monitor.follow()
            #expect(monitor.changes == [Self.routed])
            try monitor.stop()
        }

        @Test func patternsOverrideAutomaticRole() throws {
            let namespace = try NetworkNamespace()
            try namespace.ipBatch([
                "link add v0 index 10 type veth peer name v1 index 11", "link set v0 up", "link set v1 up",
                "route add 10.0.0.5/32 dev v0",
            ])
            let selections = [
                InterfaceSelection(include: ["v1"]), InterfaceSelection(include: ["v?"], exclude: ["v0"]),
                InterfaceSelection(include: ["v1"], workload: ["v0"]),
            ]
            for selection in selections {
                let monitor = try Monitor(in: namespace, Self.configuration(selection))
                try monitor.perform { $0.setWorkloadAddresses([Self.pod]) }
                #expect(monitor.changes.isEmpty)
                #expect(monitor.attached.contains("v0") == !selection.workload.isEmpty)
                try monitor.stop()
            }
        }

        // MARK: Flows

        /// Flows keep the role that they were born with, and nothing is lost or counted twice.
        @Test func roleChangeKeepsFlows() throws {
            let (namespace, monitor) = try Self.pair()
            func send(_ port: UInt16, _ times: Int) throws {
                let packet = Packet.udp(
                    from: try LabAddress("10.0.0.5"),
                    port: port,
                    to: try LabAddress("10.0.0.9"),
                    port: 9,
                    payload: [UInt8](repeating: 1, count: 72)
                )
                try FrameSender("v1", in: namespace).send(Packet.ethernet(payload: packet), times: times)
            }
            try send(1, 3)
            try monitor.settle("v0", ingress: 3)
            try namespace.ip("route add 10.0.0.5/32 dev v0")
            try monitor.perform { $0.setWorkloadAddresses([Self.pod]) }
            try send(1, 4)
            try send(2, 5)
            try monitor.settle("v0", ingress: 12)
            try monitor.perform { $0.setWorkloadAddresses([]) }
            try send(2, 6)
            try send(3, 7)
            try monitor.settle("v0", ingress: 25)
            try monitor.stop()
            var packets: [UInt16: UInt64] = [:]
            var roles: [UInt16: InterfaceRole] = [:]
            for (key, traffic) in monitor.flows {
                packets[key.nearPort] = traffic.ingress.packets
                roles[key.nearPort] = monitor.roles[key]
            }
            #expect(packets == [1: 7, 2: 11, 3: 7])
            #expect(roles == [1: .host, 2: .workload, 3: .host])
            #expect(monitor.births == 3)
            #expect(monitor.contradictions.isEmpty)
            #expect(monitor.attached == ["v0"])
            #expect(monitor.detached == ["v0"])
            #expect(monitor.accounts.count == 1)
            #expect(try monitor.account(of: "v0").isBalanced)
        }

        /// A renamed interface gets the role of its new name, and stays attached.
        @Test func renameChangesRole() throws {
            let namespace = try NetworkNamespace()
            try namespace.ip("link add v0 index 10 type veth peer name x0 index 11")
            let selection = InterfaceSelection(include: ["v?"], workload: ["w?"])
            let monitor = try Monitor(in: namespace, Self.configuration(selection))
            try namespace.ip("link set v0 name w0")
            try monitor.follow()
            #expect(
                monitor.notices.dropFirst() == [
                    .renamed(from: "v0", to: "w0"),
                    .roleChanged(name: "w0", index: 10, role: .workload, reason: .pattern("w?")),
                ]
            )
            try monitor.stop()
        }

        /// Where pods are ports of a bridge no route leads through their devices; their packets show where they are.
        @Test func bridgePortBecomesWorkloadWhenPodSends() throws {
            let namespace = try NetworkNamespace()
            var lines = ["link add br0 index 10 type bridge"]
            for number in 1...3 {
                lines += [
                    "link add p\(number) index \(20 + number) type veth peer name q\(number) index \(30 + number)",
                    "link set p\(number) master br0", "link set p\(number) up", "link set q\(number) up",
                ]
            }
            try namespace.ipBatch(lines + ["link set br0 up", "address add 10.0.0.1/24 dev br0"])
            let selection = InterfaceSelection(include: ["p?", "br?"])
            let monitor = try Monitor(in: namespace, Self.configuration(selection))
            #expect(Set(monitor.attached) == ["p1", "p2", "p3"])
            try monitor.perform { $0.setWorkloadAddresses([Self.pod, IPAddress(10, 0, 0, 6)]) }
            #expect(monitor.changes.isEmpty)

            func send(_ source: String, _ port: UInt16, through interface: String) throws {
                let packet = Packet.udp(
                    from: try LabAddress(source),
                    port: port,
                    to: try LabAddress("10.0.0.6"),
                    port: 9
                )
                // To an address that the bridge does not know: it goes out of all other ports.
                let frame = Packet.ethernet(
                    destination: [2, 0, 0, 0, 0, 0x99],
                    source: [2, 0, 0, 0, 0, UInt8(port)],
                    payload: packet
                )
                try FrameSender(interface, in: namespace).send([frame])
            }
            // Port by port: an address that is no pod's, and a pod's; the bridge floods both to the others.
            try send("10.0.0.7", 1, through: "q2")
            try send("10.0.0.5", 2, through: "q1")
            try monitor.settle("p1", ingress: 1)
            try monitor.settle("p2", ingress: 1)
            let sender = RoleReason.sender(Self.pod)
            #expect(monitor.changes == [.roleChanged(name: "p1", index: 21, role: .workload, reason: sender)])
            // The flow that showed the role has it itself.
            let shown = try #require(monitor.roles.first { $0.key.interfaceIndex == 21 && $0.key.nearPort == 2 })
            #expect(shown.value == .workload)
            #expect(monitor.roles.filter { $0.key.interfaceIndex != 21 }.allSatisfy { $0.value == .host })
            // One address is behind one interface only.
            try send("10.0.0.5", 3, through: "q3")
            try monitor.settle("p3", ingress: 1)
            #expect(monitor.changes.count == 1)
            // The pod is removed, and with it the reason for the role.
            try monitor.perform { $0.setWorkloadAddresses([IPAddress(10, 0, 0, 6)]) }
            #expect(monitor.changes.count == 2)
            try monitor.stop()
            #expect(monitor.contradictions.isEmpty)
        }

        /// A route to the pod through another pair outweighs packets with its address on this one.
        @Test func senderIsIgnoredIfRoutedElsewhere() throws {
            let (namespace, monitor) = try Self.pair()
            try namespace.ipBatch([
                "link add w0 type veth peer name w1", "link set w0 up", "link set w1 up",
                "route add 10.0.0.5/32 dev w0",
            ])
            try monitor.follow()
            try monitor.perform { $0.setWorkloadAddresses([Self.pod]) }
            let packet = Packet.udp(from: try LabAddress("10.0.0.5"), port: 1, to: try LabAddress("10.0.0.9"), port: 2)
            try FrameSender("v1", in: namespace).send([Packet.ethernet(payload: packet)])
            try monitor.settle("v0", ingress: 1)
            #expect(monitor.changes.isEmpty)
            try monitor.stop()
        }
    }
}

extension Monitor {
    /// The changes of roles, in the order of their notices.
    fileprivate var changes: [Datapath.Notice] {
        notices.filter { if case .roleChanged = $0 { true } else { false } }
    }
}
