import CWeir
import Glibc

/// The programs that are attached to the two directions of one interface; they are detached when this is released.
enum Attachment: ~Copyable {
    /// Two TCX links.
    case tcx(TCXLinks)
    /// Filters on a clsact qdisc.
    case clsact(ClsactFilters)

    /// The way in which the programs are attached, for the log.
    var mechanism: String {
        switch self {
        case .tcx: "tcx"
        case .clsact: "clsact"
        }
    }

    /// The two programs, by descriptor.
    struct Programs {
        let ingress: Int32
        let egress: Int32
        /// The kernel's identifiers of the programs; 0 if not known.
        let ingressNumber: UInt32
        let egressNumber: UInt32

        init(ingress: Int32, egress: Int32) {
            self.ingress = ingress
            self.egress = egress
            ingressNumber = Self.number(of: ingress)
            egressNumber = Self.number(of: egress)
        }

        private static func number(of program: Int32) -> UInt32 {
            var info = bpf_prog_info()
            var size = UInt32(MemoryLayout<bpf_prog_info>.size)
            return unsafe bpf_obj_get_info_by_fd(program, &info, &size) == 0 ? info.id : 0
        }
    }

    /// Whether the kernel has TCX: queries the programs on `lo`, which an older kernel refuses (EINVAL).
    static func kernelHasTCX() -> Bool {
        var count: UInt32 = 0
        let result = unsafe bpf_prog_query(1, bpf_attach_type(rawValue: tcxIngress), 0, nil, nil, &count)
        return result != -EINVAL
    }

    /// BPF_TCX_INGRESS of Linux 6.6.
    private static let tcxIngress: UInt32 = 46

    /// Whether no other program runs before Weir's on the egress of an interface.
    ///
    /// TCX programs run before all clsact filters, and Weir's clsact filter runs after all others.
    func isFirstOnEgress(_ programs: Programs, of ifindex: UInt32) -> Bool {
        switch self {
        case .tcx: HookSurvey.tcxEgressNumbers(ifindex).first == programs.egressNumber
        case .clsact: false
        }
    }

    /// Whether both programs are still where they were attached.
    ///
    /// Any process with the privilege can detach a link, remove or replace a filter, or delete a qdisc; the kernel does not
    /// notify the process that attached. A program whose state cannot be queried counts as attached.
    func isIntact(_ programs: Programs, on ifindex: UInt32) -> Bool {
        switch self {
        case .tcx(let links): links.areAttached(to: ifindex)
        case .clsact(let filters): filters.isIntact(programs)
        }
    }

    /// Attaches with TCX: first on ingress, last on egress; links that a previous agent pinned get the new programs.
    ///
    /// Removes Weir's clsact filters that a killed agent left; filters of a running agent stay.
    static func tcx(_ programs: Programs, to link: Link, pins: PinFolder? = nil) throws(DatapathError) -> Attachment {
        switch ClsactClaim.take(link.index) {
        case .free: ClsactFilters.remove(from: link.index)
        case .held: break
        case .unavailable: break
        }
        let ingress = try TCXLink(programs.ingress, .ingress, of: link, pins)
        let egress = try TCXLink(programs.egress, .egress, of: link, pins)
        return .tcx(TCXLinks(ingress: ingress, egress: egress))
    }

    /// Attaches with filters on a clsact qdisc, which is created if there is none; Weir's filters get the new programs.
    ///
    /// - Parameters:
    ///   - programs: the programs.
    ///   - link: the interface.
    ///   - ownsQdisc: whether a previous agent created the qdisc.
    ///   - pins: decides whether the filters stay when the attachment ends.
    /// - Returns: the attachment.
    /// - Throws: the refusal of the kernel, or that another agent has filters there.
    static func clsact(
        _ programs: Programs,
        to link: Link,
        ownsQdisc: Bool = false,
        pins: PinFolder? = nil
    ) throws(DatapathError) -> Attachment {
        let filters = try ClsactFilters(link, ownsQdisc: ownsQdisc, pins)
        try filters.attach(programs.ingress, .ingress, to: link)
        try filters.attach(programs.egress, .egress, to: link)
        return .clsact(filters)
    }

    /// Whether the agent has created the qdisc that the programs are on.
    var ownsQdisc: Bool {
        switch self {
        case .tcx: false
        case .clsact(let filters): filters.ownsQdisc
        }
    }
}

/// The links of both directions.
struct TCXLinks: ~Copyable {
    fileprivate let ingress: TCXLink
    fileprivate let egress: TCXLink

    /// Whether both are where they were attached; a link whose state cannot be read counts as attached.
    fileprivate func areAttached(to ifindex: UInt32) -> Bool {
        ingress.isAttached(to: ifindex) && egress.isAttached(to: ifindex)
    }
}

/// A TCX link; the kernel detaches it when its descriptor is closed and it is pinned nowhere.
struct TCXLink: ~Copyable {
    private let descriptor: FileDescriptor
    private let pins: PinFolder?
    private let path: String

    /// Attaches a program, or puts it into the link that a previous agent pinned.
    init(
        _ program: Int32,
        _ direction: ClsactFilters.Direction,
        of link: Link,
        _ pins: PinFolder?
    ) throws(DatapathError) {
        let path = pins?.link(direction, of: link.index) ?? ""
        if pins != nil, let found = Self.find(at: path, of: link.index) {
            try checked("take over \(link.name) \(direction)", weir_link_update(found.number, program))
            descriptor = found
        } else {
            let number = weir_tcx_attach(program, link.index, direction.number)
            let new = FileDescriptor(owning: try checked("attach \(link.name) \(direction) with tcx", number))
            if pins != nil { try PinFolder.pin(new.number, at: path) }
            descriptor = new
        }
        self.pins = pins
        self.path = path
    }

    deinit {
        if let pins, !pins.isLeft { _ = unsafe unlink(path) }
    }

    /// The pinned link, if it is still attached to an interface; any other one is removed.
    private static func find(at path: String, of ifindex: UInt32) -> FileDescriptor? {
        guard let found = PinFolder.link(at: path) else { return nil }
        if isAttached(found.number, to: ifindex) == true { return .some(consume found) }
        _ = unsafe unlink(path)
        return nil
    }

    /// Whether a pinned link is attached to an interface.
    static func isAttached(at path: String, to ifindex: UInt32) -> Bool {
        guard let found = PinFolder.link(at: path) else { return false }
        return isAttached(found.number, to: ifindex) == true
    }

    /// Whether the link is where it was attached; true if its state cannot be read.
    func isAttached(to ifindex: UInt32) -> Bool { Self.isAttached(descriptor.number, to: ifindex) ?? true }

    private static func isAttached(_ link: Int32, to ifindex: UInt32) -> Bool? {
        var (present, program): (UInt32, UInt32) = (0, 0)
        return unsafe weir_tcx_state(link, &present, &program) == 0 ? present == ifindex : nil
    }
}

/// Weir's filters on the clsact qdisc of one interface; they are removed when this is released, and the qdisc if Weir created
/// it.
struct ClsactFilters: ~Copyable {
    private let ifindex: UInt32
    /// Whether Weir created the qdisc.
    fileprivate let ownsQdisc: Bool
    private let claim: ClsactClaim?
    private let pins: PinFolder?

    /// A direction of the qdisc.
    enum Direction: CaseIterable {
        case ingress
        case egress

        var number: Int32 { self == .ingress ? WEIR_INGRESS : WEIR_EGRESS }

        /// The priority, with which the filter runs first on ingress and last on egress; priorities that the kernel assigns are
        /// lower.
        fileprivate var priority: UInt32 { self == .ingress ? 1 : 0xffff }
    }

    /// The handle of Weir's filters: "weir" in ASCII, so that no other program's filter is ever replaced.
    private static let handle: UInt32 = 0x7765_6972

    /// Makes sure that the interface has a clsact qdisc, and that no other agent has its filters there.
    ///
    /// - Throws: ``DatapathError/inUse(interface:pid:)`` if another agent has filters there.
    init(_ link: Link, ownsQdisc: Bool = false, _ pins: PinFolder? = nil) throws(DatapathError) {
        let claim = try ClsactClaim.claim(link)
        let created = weir_clsact_create(link.index)
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
        ifindex = link.index
        self.ownsQdisc = created == 0 || ownsQdisc
        self.claim = claim
        self.pins = pins
    }

    deinit {
        if pins?.isLeft == true { return }
        Self.remove(from: ifindex)
        if ownsQdisc { Self.removeQdisc(from: ifindex) }
    }

    /// Removes a qdisc that Weir created.
    ///
    /// It stays if it has filters of other programs, or if its filters cannot be read.
    static func removeQdisc(from ifindex: UInt32) {
        let isUsed = Direction.allCases.contains { weir_clsact_has_filters(ifindex, $0.number) != 0 }
        if !isUsed { _ = weir_clsact_destroy(ifindex) }
    }

    /// Whether an interface has Weir's filters in both directions, of this or another agent.
    static func arePresent(on ifindex: UInt32) -> Bool {
        Direction.allCases.allSatisfy { isPresent($0, on: ifindex) }
    }

    /// Whether an interface has Weir's filters in at least one direction.
    static func areAnyPresent(on ifindex: UInt32) -> Bool {
        Direction.allCases.contains { isPresent($0, on: ifindex) }
    }

    private static func isPresent(_ direction: Direction, on ifindex: UInt32) -> Bool {
        var filter = filter(ifindex, direction)
        return unsafe weir_clsact_program(&filter) > 0
    }

    /// Whether both filters are there, with these programs.
    fileprivate func isIntact(_ programs: Attachment.Programs) -> Bool {
        let pairs = [(Direction.ingress, programs.ingressNumber), (.egress, programs.egressNumber)]
        return pairs.allSatisfy { direction, number in
            var filter = Self.filter(ifindex, direction)
            let found = unsafe weir_clsact_program(&filter)
            if found < 0 { return found != -ENOENT && found != -EINVAL }
            return UInt32(found) == number
        }
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
