import CWeir
import Glibc

/// The programs, Weir's and others', on the hooks of the interfaces of this network namespace.
public struct HookSurvey: Sendable {
    /// A program at a hook.
    public struct Program: Sendable, Hashable {
        /// The kernel's identifier of the program; 0 if not known.
        public var id: UInt32
        /// The name that its author gave it; empty if not known.
        public var name: String
        /// Whether it is one of Weir's.
        public var isOurs: Bool { name.hasPrefix("weir_") }
    }

    /// An interface and the programs on its hooks.
    public struct Interface: Sendable, Hashable {
        /// Its name.
        public var name: String
        /// The XDP program, which sees packets that enter before all others.
        public var xdp: Program?
        /// TCX programs on ingress, in the order in which they run.
        public var tcxIngress: [Program] = []
        /// TCX programs on egress, in the order in which they run.
        public var tcxEgress: [Program] = []
        /// clsact filters on ingress, in the order in which they run, which is after TCX.
        public var filtersIngress: [Program] = []
        /// clsact filters on egress, after TCX.
        public var filtersEgress: [Program] = []

        /// Whether there are no programs at all.
        var isEmpty: Bool {
            xdp == nil && tcxIngress.isEmpty && tcxEgress.isEmpty && filtersIngress.isEmpty && filtersEgress.isEmpty
        }
    }

    /// The interfaces that have any program, by name.
    public var interfaces: [Interface] = []
    /// The number of interfaces that were examined.
    public var examined = 0

    /// `BPF_TCX_INGRESS` and `BPF_TCX_EGRESS` of Linux 6.6, which the headers of older kernels lack.
    private static let tcx: (ingress: UInt32, egress: UInt32) = (46, 47)
    /// `TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)` and the same of egress (linux/pkt_sched.h).
    private static let clsact: (ingress: UInt32, egress: UInt32) = (0xffff_fff2, 0xffff_fff3)
    /// The most programs at one hook that are listed; the kernel allows 64.
    private static let most = 64

    /// Surveys all interfaces.
    ///
    /// - Throws: when the kernel does not list interfaces.
    public init() throws(DatapathError) {
        var network = try NetworkState()
        try network.relearn()
        examined = network.links.count
        let hasTCX = Attachment.kernelHasTCX()
        for link in network.links.values.sorted(by: { $0.name < $1.name }) {
            var interface = Interface(name: link.name)
            var xdp: UInt32 = 0
            if unsafe bpf_xdp_query_id(Int32(link.index), 0, &xdp) == 0, xdp != 0 { interface.xdp = Self.program(xdp) }
            if hasTCX {
                interface.tcxIngress = Self.tcxPrograms(link.index, Self.tcx.ingress)
                interface.tcxEgress = Self.tcxPrograms(link.index, Self.tcx.egress)
            }
            interface.filtersIngress = Self.filters(link.index, Self.clsact.ingress)
            interface.filtersEgress = Self.filters(link.index, Self.clsact.egress)
            if !interface.isEmpty { interfaces.append(interface) }
        }
    }

    /// Whether the kernel has TCX (Linux 6.6).
    public static var kernelHasTCX: Bool { Attachment.kernelHasTCX() }

    private static func tcxPrograms(_ index: UInt32, _ hook: UInt32) -> [Program] {
        numbers(index, hook).map { program($0) }
    }

    /// The numbers of an interface's TCX programs on egress, in the order in which they run.
    static func tcxEgressNumbers(_ index: UInt32) -> [UInt32] { numbers(index, tcx.egress) }

    private static func numbers(_ index: UInt32, _ hook: UInt32) -> [UInt32] {
        var numbers = [UInt32](repeating: 0, count: most)
        var count = UInt32(most)
        let type = bpf_attach_type(rawValue: hook)
        // The kernel holds the lock of all network changes meanwhile.
        guard unsafe bpf_prog_query(Int32(index), type, 0, nil, &numbers, &count) == 0 else { return [] }
        return Array(numbers.prefix(Int(count)))
    }

    private static func program(_ number: UInt32) -> Program {
        let descriptor = bpf_prog_get_fd_by_id(number)
        guard descriptor >= 0 else { return Program(id: number, name: "") }
        defer { close(descriptor) }
        var info = bpf_prog_info()
        var size = UInt32(MemoryLayout<bpf_prog_info>.size)
        guard unsafe bpf_obj_get_info_by_fd(descriptor, &info, &size) == 0 else { return Program(id: number, name: "") }
        let name = unsafe withUnsafeBytes(of: info.name) {
            unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        return Program(id: number, name: name)
    }

    /// Filters at a hook of an interface, in the order of their priorities (RTM_GETTFILTER).
    private static func filters(_ index: UInt32, _ parent: UInt32) -> [Program] {
        guard var lister = try? NetlinkLister() else { return [] }
        var request = NetlinkWriter()
        request.begin(type: UInt16(RTM_GETTFILTER), flags: NLM_F_REQUEST | NLM_F_DUMP)
        // struct tcmsg: family and padding; interface; handle; parent; priority and protocol.
        for word in [0, index, 0, parent, 0] as [UInt32] { request.append(word) }
        var found: [(priority: UInt32, program: Program)] = []
        _ = lister.list(&request) { datagram in
            for message in datagram.messages where message.type == UInt16(RTM_NEWTFILTER) {
                guard let filter = filter(datagram, message.body) else { continue }
                found.append(filter)
            }
            return found.count < most
        }
        return found.sorted { $0.priority < $1.priority }.map(\.program)
    }

    private static func filter(_ datagram: NetlinkBytes, _ body: Range<Int>) -> (priority: UInt32, program: Program)? {
        let header = MemoryLayout<tcmsg>.size
        guard body.count >= header, let handle = datagram.load(UInt32.self, at: body.lowerBound + 8),
            let info = datagram.load(UInt32.self, at: body.lowerBound + 16), handle != 0
        else { return nil }
        var kind = "filter"
        var name: String?
        var number: UInt32 = 0
        for attribute in datagram.attributes(body.dropFirst(header)) {
            if attribute.type == tcaKind { kind = datagram.text(attribute.value) }
            guard attribute.type == tcaOptions else { continue }
            for option in datagram.attributes(attribute.value) {
                if option.type == bpfName { name = datagram.text(option.value) }
                if option.type == bpfID { number = datagram.load(UInt32.self, at: option.value.lowerBound) ?? 0 }
            }
        }
        var program = number == 0 ? Program(id: 0, name: "") : Self.program(number)
        if program.name.isEmpty { program.name = name ?? kind }
        return (info >> 16, program)
    }

    /// `TCA_KIND`, `TCA_OPTIONS` (linux/rtnetlink.h), `TCA_BPF_NAME`, `TCA_BPF_ID` (linux/pkt_cls.h).
    private static let (tcaKind, tcaOptions, bpfName, bpfID) = (1, 2, 7, 11)
}
