import CWeir
import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

/// The mechanisms that a test selects by name.
private let mechanisms: [AttachMode] = [.tcx, .clsact]

extension KernelTests {
    @Suite("Attachment")
    struct AttachmentTests {
        @Test func tcxAndClsactCountEqually() throws {
            var results: [[[UInt16]: Monitor.Traffic]] = []
            for mode in mechanisms {
                let cable = try Cable()
                let monitor = try Monitor(in: cable.right, DatapathConfiguration(tableSlots: 1024, attachMode: mode))
                #expect(monitor.notices.contains { Self.mechanism($0) == mode.rawValue })
                let path = TrafficPath(from: cable.left, to: cable.right, at: try LabAddress("10.1.0.2"))
                let sent = try path.udp(count: 500, size: 64, reply: 200, port: 7000, sourcePort: 8000)
                #expect(sent.clientReceived.messages == 500)
                _ = try path.ping(count: 20, identifier: 99)
                let counters = try cable.right.counters(of: "eth0")
                try monitor.settle("eth0", ingress: counters.receivedPackets)
                try monitor.stop()
                let account = try monitor.account(of: "eth0")
                #expect(account.isBalanced)
                #expect(account.ingress.skb.packets == counters.receivedPackets)
                #expect(account.ingress.skb.bytes == counters.receivedBytes)
                #expect(account.egress.skb.packets == counters.sentPackets)
                #expect(account.egress.skb.bytes == counters.sentBytes)
                results.append(
                    monitor.flows.reduce(into: [:]) { result, flow in
                        result[[flow.key.nearPort, flow.key.farPort]] = flow.value
                    }
                )
            }
            // 500 datagrams of 64 + 28 bytes one way and 200 + 28 the other; 20 echoes of 56 + 28 and their replies.
            let udp = Monitor.Traffic(
                ingress: TrafficCounters(packets: 500, bytes: 46_000),
                egress: TrafficCounters(packets: 500, bytes: 114_000)
            )
            let echo = TrafficCounters(packets: 20, bytes: 1_680)
            let expected: [[UInt16]: Monitor.Traffic] = [
                [8000, 7000]: udp, [99, 0x0800]: Monitor.Traffic(ingress: echo, egress: echo),
            ]
            #expect(results == [expected, expected])
        }

        private static func mechanism(_ notice: Datapath.Notice) -> String? {
            if case .attached("eth0", _, .host, .standard, let mechanism) = notice { mechanism } else { nil }
        }

        @Test(arguments: mechanisms)
        func detachRemovesProgramsAndQdisc(_ mode: AttachMode) throws {
            let cable = try Cable()
            let before = try Hooks(in: cable.right)
            let monitor = try Monitor(in: cable.right, DatapathConfiguration(tableSlots: 1024, attachMode: mode))
            let during = try Hooks(in: cable.right)
            #expect(during.tcx == (mode == .tcx ? [1, 1] : [0, 0]))
            #expect(during.text.contains("clsact") == (mode == .clsact))
            // "weir" as the filters' handle.
            #expect(during.text.split(separator: "0x77656972").count == (mode == .clsact ? 3 : 1), "\(during.text)")
            try monitor.stop()
            let after = try Hooks(in: cable.right)
            #expect(after.tcx == [0, 0])
            #expect(after.text == before.text)
        }

        /// A foreign filter on a foreign qdisc is neither replaced nor removed.
        @Test func clsactKeepsForeignFilters() throws {
            let cable = try Cable()
            let seen = try countArrivals(cable.right)
            try cable.right.tc("qdisc add dev eth0 clsact")
            try ForeignFilter.drop(ingressOf: "eth0", in: cable.right)
            let before = try Hooks(in: cable.right)
            let monitor = try Monitor(in: cable.right, DatapathConfiguration(tableSlots: 1024, attachMode: .clsact))
            try cable.send(times: 100)
            try monitor.settle("eth0", ingress: 100)
            try monitor.stop()
            // Weir's filter is first on ingress: it counted the packets that the other filter dropped.
            let account = try monitor.account(of: "eth0")
            #expect(account.ingress.flows == TrafficCounters(packets: 100, bytes: 12_800))
            #expect(try seen() == 0)
            let after = try Hooks(in: cable.right)
            #expect(after.text == before.text)
            // The foreign filter still works.
            try cable.send(times: 10)
            #expect(try seen() == 0)
        }

        /// An ingress qdisc takes the place of clsact and has no egress side: both filters would see ingress.
        @Test func clsactRejectsIngressQdisc() throws {
            let cable = try Cable()
            try cable.right.tc("qdisc add dev eth0 ingress")
            let before = try Hooks(in: cable.right)
            let monitor = try Monitor(in: cable.right, DatapathConfiguration(tableSlots: 1024, attachMode: .clsact))
            let reasons = monitor.notices.compactMap { if case .failed(_, let reason) = $0 { reason } else { nil } }
            #expect(reasons.count == 1)
            #expect(reasons.allSatisfy { $0.contains("ingress qdisc") && $0.contains("--attach tcx") })
            try monitor.stop()
            #expect(monitor.accounts.isEmpty)
            #expect(try Hooks(in: cable.right).text == before.text)
        }

        /// A qdisc that Weir created stays if it has a filter of another program meanwhile.
        @Test func clsactKeepsQdiscWithForeignFilter() throws {
            let cable = try Cable()
            let seen = try countArrivals(cable.right)
            let monitor = try Monitor(in: cable.right, DatapathConfiguration(tableSlots: 1024, attachMode: .clsact))
            try cable.send(times: 5)
            let isThrough = try eventually { try seen() == 5 }
            #expect(isThrough)
            try ForeignFilter.drop(ingressOf: "eth0", in: cable.right)
            try cable.send(times: 7)
            try monitor.settle("eth0", ingress: 12)
            try monitor.stop()
            #expect(try monitor.account(of: "eth0").ingress.flows.packets == 12)
            let after = try Hooks(in: cable.right)
            #expect(after.text.contains("clsact"))
            #expect(!after.text.contains("0x77656972"))
            #expect(after.text.contains("foreign"))
            try cable.send(times: 10)
            #expect(try seen() == 5)
        }

        /// Weir's program is first on ingress, even before programs attached earlier, and before every clsact filter.
        @Test func tcxIngressRunsBeforeForeignPrograms() throws {
            let cable = try Cable()
            let seen = try countArrivals(cable.right)
            let index = try cable.right.index(of: "eth0")
            let program = try ForeignFilter.program()
            let link = try cable.right.run { weir_tcx_attach(program, index, WEIR_INGRESS) }
            try #require(link >= 0)
            let monitor = try Monitor(in: cable.right, DatapathConfiguration(tableSlots: 1024, attachMode: .auto))
            #expect(try Hooks(in: cable.right).tcx == [2, 1])
            try cable.send(times: 100)
            try monitor.settle("eth0", ingress: 100)
            #expect(try seen() == 0)
            close(link)
            try cable.right.tc("qdisc add dev eth0 clsact")
            try ForeignFilter.drop(ingressOf: "eth0", in: cable.right)
            try cable.send(times: 50)
            try monitor.settle("eth0", ingress: 150)
            #expect(try seen() == 0)
            try cable.right.tc("qdisc del dev eth0 clsact")
            try cable.send(times: 5)
            let isThrough = try eventually { try seen() == 5 }
            #expect(isThrough)
            try monitor.stop()
            close(program)
            #expect(try monitor.account(of: "eth0").ingress.flows == TrafficCounters(packets: 155, bytes: 155 * 128))
        }

        /// Packets that another program dropped on the way out did not leave, and are not counted.
        @Test func tcxIsLastOnEgress() throws {
            let cable = try Cable()
            let index = try cable.left.index(of: "eth0")
            let program = try ForeignFilter.program()
            let link = try cable.left.run { weir_tcx_attach(program, index, WEIR_EGRESS) }
            try #require(link >= 0)
            let monitor = try Monitor(in: cable.left, DatapathConfiguration(tableSlots: 1024, attachMode: .tcx))
            var path = TrafficPath(from: cable.left, to: cable.right, at: try LabAddress("10.1.0.2"))
            let patience = path.timeout
            path.timeout = .milliseconds(50)
            #expect(try path.udp(count: 20).serverReceived.messages == 0)
            path.timeout = patience
            close(link)
            #expect(try path.udp(count: 3).serverReceived.messages == 3)
            try monitor.stop()
            close(program)
            #expect(try monitor.account(of: "eth0").egress.skb.packets == 3)
            #expect(try cable.right.counters(of: "eth0").receivedPackets == 3)
        }

        /// An interface that TCX refuses, because its hook is full (63 programs), is watched with clsact, the others with TCX.
        @Test(arguments: [WEIR_INGRESS, WEIR_EGRESS])
        func fullTCXHookFallsBackToClsact(_ direction: Int32) throws {
            let cable = try Cable()
            try cable.right.ip("link add eth1 type veth peer name eth2")
            let index = try cable.right.index(of: "eth0")
            var descriptors: [Int32] = []
            defer { for descriptor in descriptors { close(descriptor) } }
            // A program cannot be twice on one hook.
            for count in 0..<256 {
                let program = try ForeignFilter.program(verdict: -1)
                descriptors.append(program)
                let link = try cable.right.run { weir_tcx_attach(program, index, direction) }
                guard link >= 0 else {
                    try #require(count >= 60)
                    break
                }
                descriptors.append(link)
            }
            let attached = UInt32(descriptors.count / 2)
            let monitor = try Monitor(in: cable.right, DatapathConfiguration(tableSlots: 1024, attachMode: .auto))
            let mechanisms = monitor.notices.reduce(into: [String: String]()) { found, notice in
                if case .attached(let name, _, _, _, let mechanism) = notice { found[name] = mechanism }
            }
            #expect(mechanisms == ["eth0": "clsact", "eth1": "tcx", "eth2": "tcx"])
            let path = TrafficPath(from: cable.left, to: cable.right, at: try LabAddress("10.1.0.2"))
            #expect(try path.udp(count: 100, size: 64, reply: 64).clientReceived.messages == 100)
            let counters = try cable.right.counters(of: "eth0")
            try monitor.settle("eth0", ingress: counters.receivedPackets)
            try monitor.stop()
            let account = try monitor.account(of: "eth0")
            #expect(account.isBalanced)
            #expect(account.ingress.skb.packets == counters.receivedPackets)
            #expect(account.egress.skb.packets == counters.sentPackets)
            // Nothing of Weir's is left on the side that had room.
            #expect(try Hooks(in: cable.right).tcx == (direction == WEIR_INGRESS ? [attached, 0] : [0, attached]))
        }

        /// Fifty attachments of each kind, and two whole starts.
        @Test func startingAndStoppingLeaksNoDescriptor() throws {
            let leaked = try BackgroundWork { () throws -> Set<Int32> in
                try ThreadAlone.takeOwnDescriptors()
                let namespace = try NetworkNamespace()
                try namespace.ip("link add eth0 type veth peer name eth1")
                let before = try ThreadAlone.descriptors()
                try attachFiftyTimes(to: "eth0", in: namespace)
                for mode in mechanisms {
                    let monitor = try Monitor(in: namespace, DatapathConfiguration(tableSlots: 1024, attachMode: mode))
                    try monitor.stop()
                }
                return try ThreadAlone.descriptors().subtracting(before)
            }.value()
            #expect(leaked.isEmpty)
        }
    }
}

private func attachFiftyTimes(to interface: String, in namespace: NetworkNamespace) throws {
    let index = try namespace.index(of: interface)
    let link = Link(index: index, name: interface, type: 1, flags: 0)
    let programs = try KernelPrograms(.flows, tableSlots: 1024, ringBytes: 4096)
    let pair = Attachment.Programs(
        ingress: try programs.program("weir_ingress"),
        egress: try programs.program("weir_egress")
    )
    try namespace.run {
        for _ in 0..<50 {
            _ = try Attachment.tcx(pair, to: link)
            _ = try Attachment.clsact(pair, to: link)
        }
    }
}

/// The programs that are attached to `eth0`.
private struct Hooks {
    /// The output of `tc` about qdiscs and filters, without their programs' numbers.
    let text: String
    /// The numbers of TCX programs on ingress and egress.
    let tcx: [UInt32]

    init(in namespace: NetworkNamespace) throws {
        text = try namespace.shell(
            """
            tc qdisc show dev eth0
            tc filter show dev eth0 ingress 2>&1
            tc filter show dev eth0 egress 2>&1
            """
        )
        let index = Int32(bitPattern: try namespace.index(of: "eth0"))
        tcx = try namespace.run {
            // BPF_TCX_INGRESS and BPF_TCX_EGRESS of Linux 6.6.
            try ([46, 47] as [UInt32]).map { type in
                var count: UInt32 = 64
                var programs = [UInt32](repeating: 0, count: 64)
                let point = bpf_attach_type(rawValue: type)
                let result = bpf_prog_query(index, point, 0, nil, &programs, &count)
                // The query fails where nothing was ever attached.
                try #require(result == 0 || result == -ENOENT)
                return result == 0 ? count : 0
            }
        }
    }
}

/// A filter of another program on the node: it drops everything.
private enum ForeignFilter {
    /// Loads `return TC_ACT_SHOT`, or another verdict (-1: the next program decides); the caller closes it.
    static func program(verdict: Int32 = 2) throws -> Int32 {
        // r0 = verdict; exit (linux/bpf.h: code, registers, offset, number).
        let instructions = [UInt64(UInt32(bitPattern: verdict)) << 32 | 0xb7, 0x95]
        let program = instructions.withUnsafeBytes { bytes in
            bpf_prog_load(
                BPF_PROG_TYPE_SCHED_CLS,
                "foreign",
                "GPL",
                bytes.baseAddress?.assumingMemoryBound(to: bpf_insn.self),
                instructions.count,
                nil
            )
        }
        return try #require(program >= 0 ? program : nil)
    }

    /// Adds the filter on the clsact qdisc that is there.
    static func drop(ingressOf interface: String, in namespace: NetworkNamespace) throws {
        let index = Int32(bitPattern: try namespace.index(of: interface))
        let program = try program()
        defer { close(program) }
        let result = try namespace.run {
            var hook = bpf_tc_hook()
            hook.sz = MemoryLayout<bpf_tc_hook>.size
            hook.ifindex = index
            hook.attach_point = BPF_TC_INGRESS
            var options = bpf_tc_opts()
            options.sz = MemoryLayout<bpf_tc_opts>.size
            options.prog_fd = program
            options.priority = 7
            options.handle = 1
            return bpf_tc_attach(&hook, &options)
        }
        try #require(result == 0)
    }
}

/// Counts the packets to UDP port 2000 that get past all programs.
private func countArrivals(_ namespace: NetworkNamespace) throws -> () throws -> Int {
    try namespace.nft(
        """
        table ip weirtest {
            chain input { type filter hook input priority 0; udp dport 2000 counter drop; }
        }
        """
    )
    return {
        let words = try namespace.command(["nft", "list", "chain", "ip", "weirtest", "input"])
            .split(whereSeparator: \.isWhitespace)
        let place = try #require(words.firstIndex(of: "packets"))
        return try #require(Int(words[place + 1]))
    }
}
