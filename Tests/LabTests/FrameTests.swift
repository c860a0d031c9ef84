import Lab
import Testing

@Suite("Frames and kernel counters", .needsRoot)
struct FrameTests {
    @Test func interfaceCountersMatchSentFrames() throws {
        let cable = try Cable()
        #expect(try cable.left.counters(of: "eth0") == InterfaceCounters())
        #expect(try cable.right.counters(of: "eth0") == InterfaceCounters())
        // Lengths from a bare header to the MTU; an EtherType for experiments (IEEE 802 local experimental 1).
        let frames = [0, 1, 46, 500, 1500].map {
            Packet.ethernet(type: 0x88b5, payload: [UInt8](repeating: 1, count: $0))
        }
        let sender = try FrameSender("eth0", in: cable.left)
        let sent = try sender.send(frames)
        #expect(sent == TrafficCount(messages: 5, bytes: 5 * 14 + 2047))
        let left = try cable.left.counters(of: "eth0")
        let right = try cable.right.counters(of: "eth0")
        #expect(left.sentPackets == 5)
        #expect(left.sentBytes == 5 * 14 + 2047)
        #expect(left.receivedPackets == 0)
        #expect(right.receivedPackets == 5)
        #expect(right.receivedBytes == 5 * 14 + 2047)
        #expect(right.sentPackets == 0)
    }

    @Test func manyFramesAreCountedExactly() throws {
        let cable = try Cable()
        let tags = [VLANTag(7, .service), VLANTag(8)]
        let frame = Packet.ethernet(tags: tags, payload: [UInt8](repeating: 0x45, count: 60))
        #expect(frame.count == 14 + 8 + 60)
        #expect(try FrameSender("eth0", in: cable.left).send(frame, times: 30_000).messages == 30_000)
        let (left, right) = (try cable.left.counters(of: "eth0"), try cable.right.counters(of: "eth0"))
        #expect(left.sentPackets + left.dropped == 30_000)
        #expect(left.sentBytes == left.sentPackets * 82)
        #expect(right.receivedPackets == left.sentPackets)
        #expect(right.receivedBytes == left.sentBytes)
    }

    /// The receiving kernel checks the headers' checksums before its rules see a packet.
    @Test(arguments: [1, 20_000, 100_000])
    func sweepSendsRequestedNumberOfFlows(_ flows: Int) throws {
        let cable = try Cable()
        try cable.right.nft(
            """
            table ip lab {
                set flows { type ipv4_addr . inet_service; size 200000; flags dynamic; }
                chain input { type filter hook input priority 0;
                    add @flows { ip saddr . udp sport } counter packets 0 bytes 0
                    drop
                }
            }
            """
        )
        try cable.right.ip("route replace default via 10.1.0.1 dev eth0")
        let sweep = try FlowSweep(flows: flows, from: LabAddress("10.200.0.250"), to: LabAddress("10.1.0.2"))
        try FrameSender("eth0", in: cable.left).send(sweep, count: flows + 100)
        #expect(try cable.left.counters(of: "eth0").dropped == 0)
        // Behind the cable frames may wait in a queue.
        let haveArrived = try eventually {
            let rules = try cable.right.command(["nft", "list", "chain", "ip", "lab", "input"])
            return rules.contains("counter packets \(flows + 100) ")
        }
        #expect(haveArrived)
        #expect(try cable.right.protocolCounter("Ip", "InHdrErrors") == 0)
        let members = try cable.right.shell("nft list set ip lab flows | tr , '\\n' | grep -cE '[0-9] \\. [0-9]'")
        #expect(members == "\(flows)\n")
    }

    /// The receiving kernel checks headers and checksums before it looks for a port: packets without a port were valid.
    @Test(arguments: [("10.1.0.1", "10.1.0.2"), ("fd01::1", "fd01::2")])
    func builtPacketsPassKernelChecks(_ source: String, _ destination: String) throws {
        let cable = try Cable()
        let (source, destination) = (try LabAddress(source), try LabAddress(destination))
        let udp = [0, 1, 30, 1000].map { size in
            let payload = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 37) }
            return Packet.ethernet(
                payload: Packet.udp(from: source, port: 1000, to: destination, port: 9, payload: payload)
            )
        }
        let tcp = Packet.ethernet(payload: Packet.tcp(from: source, port: 1, to: destination, port: 9, flags: 2))
        try FrameSender("eth0", in: cable.left).send(udp + [tcp])
        // A SYN to a closed port: a reset goes out. It is the last frame; behind the cable frames may wait in a queue.
        let isReset = try eventually { try cable.right.protocolCounter("Tcp", "OutRsts") == 1 }
        #expect(isReset)
        let noPorts =
            try source.isIPv6
            ? cable.right.protocolCounter6("Udp6NoPorts") : cable.right.protocolCounter("Udp", "NoPorts")
        #expect(noPorts == 4)
        #expect(try cable.right.protocolCounter("Tcp", "InCsumErrors") == 0)
    }

    @Test func reportsMissingInterface() throws {
        let namespace = try NetworkNamespace()
        let error = LabError.invalid("no interface named eth9 in the namespace")
        #expect(throws: error) { try namespace.counters(of: "eth9") }
        #expect(throws: error) { _ = try FrameSender("eth9", in: namespace) }
    }

    @Test func rejectsFrameLargerThanMTU() throws {
        let cable = try Cable()
        let sender = try FrameSender("eth0", in: cable.left)
        let error = LabError.system(operation: "send 1 messages of 1515 bytes", code: 90)
        #expect(throws: error) { try sender.send(Packet.ethernet(payload: [UInt8](repeating: 0, count: 1501))) }
    }

    @Test func tunDevicesCarryPacketsWithoutEthernet() throws {
        let namespace = try NetworkNamespace()
        let device = try TunDevice(in: namespace, addresses: ["10.8.0.1/24"])
        let (near, far) = (try LabAddress("10.8.0.1"), try LabAddress("10.8.0.2"))
        try device.inject(Packet.tcp(from: far, port: 7, to: near, port: 9, flags: 2))
        let answer = try #require(try device.next())
        // IPv4, from us to them, TCP with RST and ACK.
        #expect(answer.first == 0x45)
        #expect(answer[12..<20] == (near.bytes + far.bytes)[...])
        #expect(answer[33] == 0x14)
        #expect(try namespace.counters(of: "tun0").receivedBytes == 40)
        #expect(try device.next(within: .milliseconds(1)) == nil)
    }
}
