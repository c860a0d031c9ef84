import CWeir
import Glibc

/// Programs attached to the two directions of one interface; detaches them when it goes.
enum Attachment: ~Copyable {
    /// Two TCX links; the kernel detaches a link when its descriptor is closed.
    case tcx(ingress: FileDescriptor, egress: FileDescriptor)
    /// Filters on a clsact qdisc.
    case clsact(ClsactFilters)

    /// The two programs, by descriptor.
    struct Programs {
        var ingress: Int32
        var egress: Int32
    }

    /// Attaches with TCX: first on ingress, last on egress.
    static func tcx(_ programs: Programs, to link: Link) throws(DatapathError) -> Attachment {
        let ingress = FileDescriptor(
            owning: try checked(
                "attach \(link.name) ingress with tcx",
                weir_tcx_attach(programs.ingress, link.index, WEIR_INGRESS)
            )
        )
        let egress = FileDescriptor(
            owning: try checked(
                "attach \(link.name) egress with tcx",
                weir_tcx_attach(programs.egress, link.index, WEIR_EGRESS)
            )
        )
        return .tcx(ingress: ingress, egress: egress)
    }

    /// Attaches with filters on a clsact qdisc, which is made if there is none.
    static func clsact(_ programs: Programs, to link: Link) throws(DatapathError) -> Attachment {
        let filters = try ClsactFilters(link)
        try filters.attach(programs.ingress, .ingress, to: link)
        try filters.attach(programs.egress, .egress, to: link)
        return .clsact(filters)
    }
}

/// Weir's filters on the clsact qdisc of one interface; removes them when it goes, and the qdisc if Weir made it.
struct ClsactFilters: ~Copyable {
    private let ifindex: UInt32
    private let ownsQdisc: Bool

    /// A direction of the qdisc.
    enum Direction: CaseIterable {
        case ingress
        case egress

        fileprivate var attachPoint: UInt32 {
            self == .ingress ? BPF_TC_INGRESS.rawValue : BPF_TC_EGRESS.rawValue
        }

        /// The first filter to run on ingress, the last on egress (priorities that the kernel gives itself are lower).
        fileprivate var priority: UInt32 { self == .ingress ? 1 : 0xffff }
    }

    /// The handle of Weir's filters: "weir" in ASCII, so that no other program's filter is ever replaced.
    private static let handle: UInt32 = 0x7765_6972

    /// Makes sure that the interface has a clsact qdisc (bpf_tc_hook_create).
    init(_ link: Link) throws(DatapathError) {
        ifindex = link.index
        var hook = Self.hook(link.index, BPF_TC_INGRESS.rawValue | BPF_TC_EGRESS.rawValue)
        let created = unsafe bpf_tc_hook_create(&hook)
        ownsQdisc = created == 0
        guard created == 0 || created == -EEXIST else {
            throw .system(
                operation: "add a clsact qdisc to \(link.name)",
                errno: -created,
                advice: "the kernel needs its module sch_ingress"
            )
        }
    }

    deinit {
        for direction in Direction.allCases {
            var hook = Self.hook(ifindex, direction.attachPoint)
            var options = Self.options(direction)
            _ = unsafe bpf_tc_detach(&hook, &options)
        }
        // Somebody else may have put filters on the qdisc that we made: then it stays.
        guard ownsQdisc, weir_tc_has_filters(ifindex, WEIR_INGRESS) == 0,
            weir_tc_has_filters(ifindex, WEIR_EGRESS) == 0
        else { return }
        var hook = Self.hook(ifindex, BPF_TC_INGRESS.rawValue | BPF_TC_EGRESS.rawValue)
        _ = unsafe bpf_tc_hook_destroy(&hook)
    }

    /// Adds a filter (bpf_tc_attach); one of ours that a killed agent left is replaced.
    func attach(_ program: Int32, _ direction: Direction, to link: Link) throws(DatapathError) {
        var hook = Self.hook(ifindex, direction.attachPoint)
        var options = Self.options(direction)
        options.prog_fd = program
        options.flags = BPF_TC_F_REPLACE.rawValue
        try checked("attach \(link.name) \(direction) with clsact", unsafe bpf_tc_attach(&hook, &options))
    }

    private static func hook(_ ifindex: UInt32, _ attachPoint: UInt32) -> bpf_tc_hook {
        var hook = bpf_tc_hook()
        hook.sz = MemoryLayout<bpf_tc_hook>.size
        hook.ifindex = Int32(bitPattern: ifindex)
        hook.attach_point = bpf_tc_attach_point(rawValue: attachPoint)
        return hook
    }

    private static func options(_ direction: Direction) -> bpf_tc_opts {
        var options = bpf_tc_opts()
        options.sz = MemoryLayout<bpf_tc_opts>.size
        options.handle = handle
        options.priority = direction.priority
        return options
    }
}
