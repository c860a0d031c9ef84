import CWeir
import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

extension KernelTests {
    /// Changes by others to the programs of a running agent.
    @Suite("Removed programs")
    struct RemovedProgramsTests {
        /// A way to remove the programs.
        struct Removal: Sendable, CustomTestStringConvertible {
            var testDescription: String
            var mode: AttachMode
            var command: String?
        }

        private static let removals = [
            Removal(testDescription: "tc filter del", mode: .clsact, command: "tc filter del dev eth0 ingress"),
            Removal(testDescription: "tc qdisc del", mode: .clsact, command: "tc qdisc del dev eth0 clsact"),
            Removal(
                testDescription: "tc qdisc replace",
                mode: .clsact,
                command: "tc qdisc del dev eth0 clsact; tc qdisc add dev eth0 clsact"
            ),
            Removal(testDescription: "link detach", mode: .tcx, command: nil),
        ]

        /// The next scan detects the removal, attaches the programs again, and counts the traffic that was missed.
        @Test(arguments: removals)
        func reattachesRemovedPrograms(_ removal: Removal) throws {
            let cable = try Cable()
            let monitor = try Monitor(
                in: cable.right,
                DatapathConfiguration(tableSlots: 1024, attachMode: removal.mode)
            )
            try cable.send(times: 10)
            try monitor.settle("eth0", ingress: 10)
            if let command = removal.command {
                _ = try cable.right.shell(command)
            } else {
                try Links.detachAll(of: try cable.right.index(of: "eth0"), with: monitor.programNumbers())
            }
            try cable.send(times: 7)
            let hasArrived = try eventually { try cable.right.counters(of: "eth0").receivedPackets >= 17 }
            #expect(hasArrived)
            try monitor.scan()
            let notices = monitor.notices.filter { if case .reattached = $0 { true } else { false } }
            #expect(notices.count == 1, "\(monitor.notices)")
            let gap = TrafficCounters(packets: 7, bytes: 7 * 142)
            for case .reattached(let name, _, let ingress, let egress) in notices {
                #expect(name == "eth0")
                #expect(ingress == gap)
                #expect(egress == .zero)
            }
            try cable.send(times: 5)
            try monitor.settle("eth0", ingress: 15)
            try monitor.stop()
            let account = try monitor.account(of: "eth0")
            #expect(account.ingress.gap == gap)
            #expect(account.ingress.flows.packets == 15)
            #expect(account.isBalanced)
            #expect(monitor.notices.filter { if case .reattached = $0 { true } else { false } }.count == 1)
            // The programs that were attached again are removed, too.
            let filters = try cable.right.shell(
                "tc filter show dev eth0 ingress 2>&1; tc filter show dev eth0 egress 2>&1"
            )
            #expect(!filters.contains("0x77656972"))
        }

        /// Traffic that was missed before the end is in the account, though the programs are not attached again.
        @Test func removalBeforeStopIsCountedAsGap() throws {
            let cable = try Cable()
            let monitor = try Monitor(in: cable.right, DatapathConfiguration(tableSlots: 1024, attachMode: .clsact))
            try cable.send(times: 3)
            try monitor.settle("eth0", ingress: 3)
            try cable.right.tc("qdisc del dev eth0 clsact")
            try cable.send(times: 4)
            let hasArrived = try eventually { try cable.right.counters(of: "eth0").receivedPackets >= 7 }
            #expect(hasArrived)
            try monitor.stop()
            #expect(try monitor.account(of: "eth0").ingress.gap.packets == 4)
        }

        /// Foreign filters are added and removed beside Weir's.
        @Test func ignoresChangesOfForeignFilters() throws {
            let cable = try Cable()
            let monitor = try Monitor(in: cable.right, DatapathConfiguration(tableSlots: 1024, attachMode: .clsact))
            _ = try cable.right.shell(
                "tc filter add dev eth0 ingress prio 9 u32 match u32 0 0 classid 1:1; tc filter del dev eth0 ingress prio 9"
            )
            try monitor.scan()
            try cable.send(times: 3)
            try monitor.settle("eth0", ingress: 3)
            try monitor.stop()
            #expect(monitor.notices.allSatisfy { if case .reattached = $0 { false } else { true } })
            #expect(monitor.accounts.allSatisfy { $0.isBalanced })
        }

        /// The programs of a removed interface are removed with it, which is not reported as a removal of programs.
        @Test(arguments: [AttachMode.tcx, .clsact])
        func removedInterfaceReportsNoProgramRemoval(_ mode: AttachMode) throws {
            let cable = try Cable()
            let monitor = try Monitor(in: cable.right, DatapathConfiguration(tableSlots: 1024, attachMode: mode))
            try cable.right.ip("link del eth0")
            // Before the datapath has read the kernel's message.
            try monitor.scan()
            try monitor.follow()
            try monitor.stop()
            #expect(monitor.detached == ["eth0"])
            #expect(
                monitor.notices.allSatisfy {
                    switch $0 {
                    case .reattached, .removed: false
                    default: true
                    }
                }
            )
        }

        /// Many interfaces are checked in turns, and each has its turn.
        @Test func reattachesProgramsAmongManyInterfaces() throws {
            let namespace = try NetworkNamespace()
            try namespace.ipBatch((0..<40).map { "link add a\($0) type veth peer name b\($0)" })
            var configuration = DatapathConfiguration(tableSlots: 1024, attachMode: .tcx)
            configuration.interfaces = InterfaceSelection(include: ["a*", "b*"])
            let monitor = try Monitor(in: namespace, configuration)
            let names = ["a3", "b3", "a30", "b31"]
            for name in names {
                try Links.detachAll(of: try namespace.index(of: name), with: monitor.programNumbers())
            }
            var back: Set<String> = []
            let areBack = try eventually {
                try monitor.scan()
                for case .reattached(let name, _, _, _) in monitor.notices { back.insert(name) }
                return back.count >= names.count
            }
            #expect(areBack)
            #expect(back == Set(names))
            try monitor.stop()
        }

        /// Up to 64 interfaces are all checked in each scan, and any number within eight scans.
        @Test(arguments: [(0, 1), (1, 1), (64, 1), (65, 2), (128, 2), (129, 3), (500, 8), (1024, 8)])
        func checksInterfacesInTurns(_ interfaces: Int, _ turns: Int) {
            #expect(AttachmentWatch.turns(interfaces: interfaces) == turns)
        }

        // MARK: A second agent

        /// The second agent would replace the first one's filters, and the first account would continue to add up.
        @Test func rejectsSecondAgentOnClsact() throws {
            let cable = try Cable()
            let configuration = DatapathConfiguration(tableSlots: 1024, attachMode: .clsact)
            let first = try Monitor(in: cable.right, configuration)
            #expect(throws: DatapathError.inUse(interface: "eth0", pid: getpid())) {
                _ = try Monitor(in: cable.right, configuration)
            }
            try cable.send(times: 6)
            try first.settle("eth0", ingress: 6)
            // With TCX there is room for both.
            let second = try Monitor(in: cable.right, DatapathConfiguration(tableSlots: 1024, attachMode: .tcx))
            try cable.send(times: 4)
            try second.settle("eth0", ingress: 4)
            try first.settle("eth0", ingress: 10)
            try second.stop()
            try first.stop()
            #expect(first.accounts.allSatisfy { $0.isBalanced && $0.ingress.gap == .zero })
            let third = try Monitor(in: cable.right, configuration)
            try third.stop()
        }

        /// Only root's processes are agents.
        @Test func claimOfOtherUserIsIgnored() throws {
            let cable = try Cable()
            let index = try cable.right.index(of: "eth0")
            let holder = try cable.right.run {
                try ThreadAlone.setEffectiveUser(65534)
                let holder = weir_claim("weir-clsact-\(index)")
                try ThreadAlone.setEffectiveUser(0)
                return holder
            }
            try #require(holder >= 0)
            defer { close(holder) }
            let monitor = try Monitor(in: cable.right, DatapathConfiguration(tableSlots: 1024, attachMode: .clsact))
            #expect(monitor.attached == ["eth0"])
            try monitor.stop()
        }
    }
}

/// BPF links of all processes.
private enum Links {
    /// Detaches the TCX links of an interface that have one of these programs, as `bpftool link detach` does.
    ///
    /// Interfaces of other namespaces have the same indices, and other programs.
    static func detachAll(of ifindex: UInt32, with programs: Set<UInt32>) throws {
        var id: UInt32 = 0
        var detached = 0
        while bpf_link_get_next_id(id, &id) == 0 {
            let link = bpf_link_get_fd_by_id(id)
            guard link >= 0 else { continue }
            defer { close(link) }
            var (present, program): (UInt32, UInt32) = (0, 0)
            // BPF_LINK_TYPE_TCX of Linux 6.6.
            var info = bpf_link_info()
            var size = UInt32(MemoryLayout<bpf_link_info>.size)
            guard bpf_obj_get_info_by_fd(link, &info, &size) == 0, info.type == 11,
                weir_tcx_state(link, &present, &program) == 0, present == ifindex, programs.contains(program)
            else { continue }
            try #require(bpf_link_detach(link) == 0)
            detached += 1
        }
        try #require(detached == 2)
    }
}

extension Monitor {
    /// The numbers of the programs that it attaches.
    fileprivate func programNumbers() throws -> Set<UInt32> {
        try perform { datapath in
            let pair = Attachment.Programs(
                ingress: try datapath.programs.program("weir_ingress"),
                egress: try datapath.programs.program("weir_egress")
            )
            return [pair.ingressNumber, pair.egressNumber]
        }
    }
}
