import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

extension KernelTests {
    @Suite("Following interfaces")
    struct FollowingTests {
        private static func configuration(
            include: [String] = [],
            exclude: [String] = []
        ) -> DatapathConfiguration {
            DatapathConfiguration(
                interfaces: InterfaceSelection(include: include, exclude: exclude),
                tableSlots: 1024
            )
        }

        /// 100 bytes of IPv4 in Ethernet.
        private static let frame = Frame.inIPv4(Frame.ipv4(17, Frame.udp(payload: 72)))

        @Test func followsAddedRenamedAndRemovedInterfaces() throws {
            let namespace = try NetworkNamespace()
            let monitor = try Monitor(in: namespace, Self.configuration(include: ["v?", "w?"]))
            #expect(monitor.attached.isEmpty)
            try namespace.ip("link add v0 type veth peer name v1")
            try namespace.ipBatch(["link set v0 up", "link set v1 up"])
            try monitor.follow()
            #expect(Set(monitor.attached) == ["v0", "v1"])
            try FrameSender("v0", in: namespace).send(Self.frame, times: 10)
            try monitor.settle("v1", ingress: 10)
            try namespace.ipBatch(["link set v0 down", "link set v0 name w0", "link set w0 up"])
            try monitor.follow()
            #expect(monitor.notices.contains(.renamed(from: "v0", to: "w0")))
            try FrameSender("w0", in: namespace).send(Self.frame, times: 5)
            try monitor.settle("v1", ingress: 15)
            // Out of the selection by its name, and in again.
            try namespace.ipBatch(["link set w0 down", "link set w0 name x0", "link set x0 up"])
            try monitor.follow()
            #expect(monitor.detached == ["w0"])
            try FrameSender("x0", in: namespace).send(Self.frame, times: 3)
            try monitor.settle("v1", ingress: 18)
            try namespace.ip("link del x0")
            try monitor.follow()
            #expect(monitor.detached == ["w0", "v1"])
            #expect(try monitor.perform { $0.watchedCount } == 0)
            // What was counted is kept, under the last name.
            let first = try monitor.account(of: "w0")
            let second = try monitor.account(of: "v1")
            #expect(monitor.accounts.count == 2)
            #expect(first.isBalanced && second.isBalanced)
            #expect(first.egress.flows == TrafficCounters(packets: 15, bytes: 1500))
            #expect(second.ingress.flows == TrafficCounters(packets: 18, bytes: 1800))
            // Flows end with their interfaces.
            #expect(monitor.living.isEmpty)
            #expect(monitor.contradictions.isEmpty)
            try monitor.stop()
        }

        /// An interface that is removed, and one that gets its index before the next update, are two interfaces.
        @Test func reusedIndexIsNewInterface() throws {
            let namespace = try NetworkNamespace()
            let monitor = try Monitor(in: namespace, Self.configuration(include: ["v*"]))
            let make = ["link add v0 index 50 type veth peer name v1 index 51", "link set v0 up", "link set v1 up"]
            try namespace.ipBatch(make)
            try monitor.follow()
            try FrameSender("v0", in: namespace).send(Self.frame, times: 3)
            try monitor.settle("v1", ingress: 3)
            try namespace.ipBatch(["link del v0"] + make)
            try monitor.follow()
            try FrameSender("v0", in: namespace).send(Self.frame, times: 5)
            try monitor.settle("v1", ingress: 5)
            try monitor.stop()
            let received = monitor.accounts.filter { $0.name == "v1" }.map(\.ingress.skb.packets)
            #expect(received.sorted() == [3, 5])
        }

        @Test func followsHostAddresses() throws {
            let namespace = try NetworkNamespace()
            let monitor = try Monitor(in: namespace, Self.configuration())
            #expect(try monitor.perform { $0.ownAddresses }.contains(IPAddress(127, 0, 0, 1)))
            try namespace.ip("address add 10.9.8.7/24 dev lo")
            #expect(try monitor.follow())
            #expect(try monitor.perform { $0.ownAddresses }.contains(IPAddress(10, 9, 8, 7)))
            try namespace.ip("address del 10.9.8.7/24 dev lo")
            #expect(try monitor.follow())
            #expect(try !monitor.perform { $0.ownAddresses }.contains(IPAddress(10, 9, 8, 7)))
            #expect(try !monitor.follow())
            try monitor.stop()
        }

        /// With TCX the kernel waits for a grace period whenever it attaches or detaches (tcx_entry_sync), one interface
        /// after the other: fewer of them, and more time.
        ///
        /// `auto` switches to clsact in time.
        @Test(arguments: [
            (AttachMode.auto, 250, Duration.seconds(1)), (.clsact, 250, .seconds(1)), (.tcx, 25, .seconds(5)),
        ])
        func followsManyInterfaces(_ mode: AttachMode, _ cables: Int, _ limit: Duration) throws {
            let result = try BackgroundWork { () throws -> WatchedCables.Result in
                try ThreadAlone.takeOwnDescriptors()
                return try WatchedCables(cables: cables, mode).createAndRemove()
            }.value()
            #expect(result.delay < limit)
            #expect(result.accounts == 2 * cables)
            #expect(result.unbalanced == 0)
            #expect(result.packets == 10 * 7)
            #expect(result.failures.isEmpty)
            #expect(result.leakedDescriptors.isEmpty)
        }

        /// The interface table has 1,024 positions, taken by the low bits of the index.
        @Test func interfaceTablePositionIsReused() throws {
            let namespace = try NetworkNamespace()
            let monitor = try Monitor(in: namespace, Self.configuration(include: ["v*"]))
            for round in 0..<3 {
                let (left, right) = (700 + round * 1024, 701 + round * 1024)
                try namespace.ipBatch([
                    "link add v\(left) index \(left) type veth peer name v\(right) index \(right)",
                    "link set v\(left) up", "link set v\(right) up",
                ])
                try monitor.follow()
                try FrameSender("v\(left)", in: namespace).send(Self.frame, times: 3 + round)
                try monitor.settle("v\(right)", ingress: UInt64(3 + round))
                try namespace.ip("link del v\(left)")
                try monitor.follow()
            }
            try monitor.stop()
            #expect(monitor.accounts.map(\.index) == [700, 701, 1724, 1725, 2748, 2749])
            #expect(monitor.accounts.filter { !$0.isBalanced }.isEmpty)
            #expect(monitor.accounts.map(\.egress.flows.packets) == [3, 0, 4, 0, 5, 0])
            #expect(monitor.accounts.map(\.ingress.flows.packets) == [0, 3, 0, 4, 0, 5])
        }

        /// More interfaces fall into one window of the interface table than it has positions.
        @Test func reportsInterfaceWithoutTablePosition() throws {
            let namespace = try NetworkNamespace()
            let numbers = (0..<10).map { 700 + $0 * 1024 }
            for number in numbers {
                try namespace.ip("link add v\(number) index \(number) type veth peer name w\(number)")
            }
            let monitor = try Monitor(in: namespace, Self.configuration(include: ["v*"]))
            #expect(monitor.attached.count == 8)
            let failed = monitor.notices.filter { if case .failed = $0 { true } else { false } }
            #expect(failed.count == 2)
            // As soon as one is removed another takes its position.
            let gone = try #require(monitor.attached.first)
            try namespace.ip("link del \(gone)")
            try monitor.follow()
            #expect(monitor.attached.count == 9)
            try monitor.stop()
        }

        /// The kernel's messages do not fit into the socket: a full dump recovers the lost change.
        @Test func recoversFromMissedNetlinkMessages() throws {
            let namespace = try NetworkNamespace()
            try namespace.ip("link add s0 type veth peer name s1")
            let monitor = try Monitor(in: namespace, Self.configuration(include: ["s0", "t0", "t1"]))
            #expect(monitor.attached == ["s0"])
            try monitor.perform { datapath in
                // As little room for messages as the kernel gives.
                var bytes: Int32 = 1
                let size = socklen_t(MemoryLayout<Int32>.size)
                try #require(setsockopt(datapath.descriptors.interfaces, SOL_SOCKET, SO_RCVBUF, &bytes, size) == 0)
            }
            // The first message is of s0, and fits; that of its end does not.
            try namespace.ipBatch(["link set s0 mtu 1400", "link add t0 type veth peer name t1", "link del s0"])
            try monitor.follow()
            #expect(monitor.detached == ["s0"])
            #expect(Set(monitor.attached) == ["s0", "t0", "t1"])
            #expect(try monitor.perform { $0.watchedCount } == 2)
            #expect(try monitor.perform { $0.unmatchedPatterns } == ["s0"])
            try monitor.stop()
        }

        /// The packets of these devices cross a watched device below them, and are counted there.
        @Test func skipsUpperDevicesOfWatchedInterfaces() throws {
            let namespace = try NetworkNamespace()
            try namespace.ipBatch([
                "link add v0 type veth peer name v1", "link add br0 type bridge",
                "link add link v0 name m0 type macvlan",
                "link set v1 master br0",
            ])
            let all = try Monitor(
                in: namespace,
                Self.configuration(exclude: ["*tun*", "*tnl*", "sit*", "gre*", "erspan*"])
            )
            #expect(Set(all.attached) == ["v0", "v1"])
            try all.stop()
            let upper = try Monitor(in: namespace, Self.configuration(include: ["m0", "br0"]))
            #expect(Set(upper.attached) == ["m0", "br0"])
            try upper.stop()
        }

        @Test func bridgeIsWatchedAgainWithoutPorts() throws {
            let namespace = try NetworkNamespace()
            try namespace.ipBatch(["link add br0 type bridge", "link add v0 type veth peer name v1"])
            let monitor = try Monitor(in: namespace, Self.configuration(include: ["br?", "v0"]))
            #expect(Set(monitor.attached) == ["br0", "v0"])
            try namespace.ip("link set v0 master br0")
            try monitor.follow()
            #expect(monitor.detached == ["br0"])
            try namespace.ip("link set v0 nomaster")
            try monitor.follow()
            #expect(monitor.attached.filter { $0 == "br0" }.count == 2)
            try monitor.stop()
            #expect(monitor.accounts.filter { $0.name == "br0" }.count == 2)
        }

        /// On `lo` a packet leaves and enters: two flows, as each end sees it.
        @Test func loopbackIsWatchedOnlyIfIncluded() throws {
            let namespace = try NetworkNamespace()
            let none = try Monitor(in: namespace, Self.configuration(exclude: ["[!l]*"]))
            #expect(none.attached.isEmpty)
            try none.stop()
            let monitor = try Monitor(in: namespace, Self.configuration(include: ["lo"]))
            let before = try namespace.counters(of: "lo")
            let path = TrafficPath(from: namespace, to: namespace, at: try LabAddress("127.0.0.1"))
            let sent = try path.udp(count: 30, size: 72, port: 7000, sourcePort: 8000)
            #expect(sent.serverReceived.messages == 30)
            try monitor.stop()
            let counters = try namespace.counters(of: "lo").since(before)
            let account = try monitor.account(of: "lo")
            #expect(account.isBalanced)
            #expect(account.ingress.flows == TrafficCounters(packets: 30, bytes: 3000))
            #expect(account.egress.flows == TrafficCounters(packets: 30, bytes: 3000))
            #expect(account.ingress.skb.packets == counters.receivedPackets)
            // The device counts without the Ethernet header that it puts on (drivers/net/loopback.c).
            #expect(account.egress.skb.bytes == counters.sentBytes + 30 * 14)
            #expect(Set(monitor.flows.keys.map(\.nearPort)) == [7000, 8000])
        }

        /// A tun device: frames start with the IP header.
        @Test(arguments: [("10.8.0.1", "10.8.0.2", "10.8.0.1/24"), ("fd08::1", "fd08::2", "fd08::1/64")])
        func devicesWithoutEthernetAreCounted(_ near: String, _ far: String, _ network: String) throws {
            let namespace = try NetworkNamespace()
            let device = try TunDevice(in: namespace, addresses: [network])
            let monitor = try Monitor(in: namespace, Self.configuration(include: ["tun0"]))
            let (host, peer) = (try LabAddress(near), try LabAddress(far))
            // A SYN to a port where nobody listens, and the reset that answers it.
            let syn = Packet.tcp(from: peer, port: 7, to: host, port: 9, flags: 2)
            try device.inject(syn)
            let reset = try #require(try device.next())
            try monitor.stop()
            let account = try monitor.account(of: "tun0")
            #expect(account.isBalanced)
            #expect(account.ingress.skb == TrafficCounters(packets: 1, bytes: UInt64(syn.count)))
            #expect(account.ingress.flows == account.ingress.skb)
            #expect(account.egress.flows == TrafficCounters(packets: 1, bytes: UInt64(reset.count)))
            #expect(monitor.flows.count == 1)
            let key = try #require(monitor.flows.keys.first)
            #expect(key.near.description == far)
            #expect(key.far.description == near)
            #expect((key.nearPort, key.farPort, key.proto) == (7, 9, .tcp))
        }
    }
}

/// Cables in one namespace, with both ends watched.
private struct WatchedCables {
    struct Result {
        /// From the last creation to the last attachment.
        var delay = Duration.zero
        var accounts = 0
        var unbalanced = 0
        /// IP packets that entered.
        var packets: UInt64 = 0
        var failures: [String] = []
        var leakedDescriptors: Set<Int32> = []
    }

    /// Cables that carry something.
    private static let talking = 10

    private let cables: Int
    private let namespace: NetworkNamespace
    private let monitor: Monitor

    init(cables: Int, _ mode: AttachMode) throws {
        self.cables = cables
        namespace = try NetworkNamespace()
        let configuration = DatapathConfiguration(
            interfaces: InterfaceSelection(include: ["a*", "b*"]),
            tableSlots: 1024,
            attachMode: mode
        )
        monitor = try Monitor(in: namespace, configuration)
    }

    func createAndRemove() throws -> Result {
        var result = Result()
        let before = try ThreadAlone.descriptors()
        result.delay = try create()
        for number in 0..<Self.talking {
            let frame = Frame.inIPv4(Frame.ipv4(17, Frame.udp(payload: 72)))
            try FrameSender("a\(number)", in: namespace).send(frame, times: 7)
        }
        for number in 0..<Self.talking { try monitor.settle("b\(number)", ingress: 7) }
        try remove()
        result.leakedDescriptors = try ThreadAlone.descriptors().subtracting(before)
        try monitor.stop()
        result.accounts = monitor.accounts.count
        result.unbalanced = monitor.accounts.filter { !$0.isBalanced }.count
        result.packets = monitor.accounts.reduce(0) { $0 + $1.ingress.flows.packets }
        result.failures = monitor.contradictions
        for case .failed(let name, let reason) in monitor.notices { result.failures.append("\(name): \(reason)") }
        return result
    }

    /// Creates the cables while the monitor follows; returns its delay after the last one.
    private func create() throws -> Duration {
        var lines: [String] = []
        for number in 0..<cables {
            lines.append("link add a\(number) group 7 type veth peer name b\(number)")
            if number < Self.talking { lines += ["link set a\(number) up", "link set b\(number) up"] }
        }
        let (namespace, batch) = (namespace, lines)
        let creation = try BackgroundWork { () throws -> ContinuousClock.Instant in
            try namespace.ipBatch(batch)
            return .now
        }
        let isComplete = try eventually {
            try monitor.follow()
            return try monitor.perform { $0.watchedCount } == 2 * cables
        }
        let end = ContinuousClock.now
        let created = try creation.value()
        return isComplete ? max(.zero, created.duration(to: end)) : .seconds(100)
    }

    /// Removes all cables at once.
    private func remove() throws {
        try namespace.ip("link del group 7")
        let isEmpty = try eventually {
            try monitor.follow()
            return try monitor.perform { $0.watchedCount } == 0
        }
        try #require(isEmpty)
    }
}
