import CWeir
import Glibc

/// Programs attached to the two directions of one interface; detaches them when it goes.
enum Attachment: ~Copyable {
    /// Two TCX links; the kernel detaches a link when its descriptor is closed.
    case tcx(ingress: FileDescriptor, egress: FileDescriptor)
    /// Filters on a clsact qdisc.
    case clsact(ClsactFilters)

    /// How the programs are attached, for the log.
    var mechanism: String {
        switch self {
        case .tcx: "tcx"
        case .clsact: "clsact"
        }
    }

    /// The two programs, by descriptor.
    struct Programs {
        var ingress: Int32
        var egress: Int32
    }

    /// Attaches with TCX: first on ingress, last on egress.
    ///
    /// Removes clsact filters of ours that a killed agent left.
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
        ClsactFilters.remove(from: link.index)
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

        fileprivate var number: Int32 { self == .ingress ? WEIR_INGRESS : WEIR_EGRESS }

        /// The first filter to run on ingress, the last on egress (priorities that the kernel gives itself are lower).
        fileprivate var priority: UInt32 { self == .ingress ? 1 : 0xffff }
    }

    /// The handle of Weir's filters: "weir" in ASCII, so that no other program's filter is ever replaced.
    private static let handle: UInt32 = 0x7765_6972

    /// Makes sure that the interface has a clsact qdisc.
    init(_ link: Link) throws(DatapathError) {
        ifindex = link.index
        let created = weir_clsact_create(link.index)
        ownsQdisc = created == 0
        guard created != -EBUSY else {
            throw .system(
                operation: "attach \(link.name) with clsact: it has an ingress qdisc, which has no egress side",
                errno: EBUSY,
                advice: "replace that qdisc by clsact, or use --attach tcx"
            )
        }
        guard created == 0 || created == -EEXIST else {
            throw .system(
                operation: "add a clsact qdisc to \(link.name)",
                errno: -created,
                advice: "the kernel needs its module sch_ingress"
            )
        }
    }

    deinit {
        Self.remove(from: ifindex)
        // Somebody else may have put filters on the qdisc that we made: then it stays.
        let isUsed = Direction.allCases.contains { weir_clsact_has_filters(ifindex, $0.number) != 0 }
        if ownsQdisc, !isUsed { _ = weir_clsact_destroy(ifindex) }
    }

    /// Adds a filter; one of ours that a killed agent left is replaced.
    func attach(_ program: Int32, _ direction: Direction, to link: Link) throws(DatapathError) {
        var filter = Self.filter(ifindex, direction)
        try checked(
            "attach \(link.name) \(direction) with clsact",
            advice: "the kernel needs its module cls_bpf",
            unsafe weir_clsact_attach(&filter, program)
        )
    }

    /// Removes Weir's filters, if there are any.
    static func remove(from ifindex: UInt32) {
        for direction in Direction.allCases {
            var filter = filter(ifindex, direction)
            _ = unsafe weir_clsact_detach(&filter)
        }
    }

    private static func filter(_ ifindex: UInt32, _ direction: Direction) -> weir_clsact_filter {
        weir_clsact_filter(
            ifindex: ifindex,
            direction: direction.number,
            handle: handle,
            priority: direction.priority
        )
    }
}
