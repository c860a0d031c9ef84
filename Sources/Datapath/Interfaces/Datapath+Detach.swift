import CWeir
import FlowModel

extension Datapath {
    /// Returns the time limit of a scan's details, and the attribution of flows without them.
    func deadline(_ isOver: @escaping () -> Bool) -> ExpeditedFlows.Deadline {
        let (own, workloads) = (ownAddresses, network.workloads)
        return ExpeditedFlows.Deadline(
            isOver: isOver,
            unreported: { key in
                if own.contains(key.far) { return nil }
                return workloads.contains(key.near) || workloads.contains(key.far) ? .elsewhere : .transit
            },
            local: { [unowned self] in localAddress(of: $0) }
        )
    }

    /// The objects that were removed from a node.
    public struct Removal: Sendable, Equatable {
        /// Interfaces from which programs were removed, by name, in order.
        public var interfaces: [String] = []
        /// Folders of pins that were removed.
        public var folders: [String] = []
        /// Whether `/sys/kernel/rcu_expedited` was still 1 for a run that was killed, and is 0 again.
        public var putsBackGracePeriods = false

        /// Whether nothing was removed.
        public var isEmpty: Bool { interfaces.isEmpty && folders.isEmpty && !putsBackGracePeriods }
    }

    /// Removes what agents that no longer run have left: programs, qdiscs that they created, maps.
    ///
    /// Counts that were not reported are lost.
    ///
    /// - Parameters:
    ///   - bpffs: the mount point of bpffs.
    ///   - allNamespaces: whether to remove the pins of other network namespaces too, even if an agent runs there.
    /// - Returns: the removed objects.
    /// - Throws: ``DatapathError/running(pid:)`` if an agent runs in this network namespace.
    public static func removeAll(bpffs: String, allNamespaces: Bool = false) throws(DatapathError) -> Removal {
        var removal = Removal()
        let gracePeriods = GracePeriods(ifMountedAt: bpffs)
        let pins = PinFolder.isMounted(at: bpffs) ? try PinFolder.take(root: bpffs) : nil
        var network = try NetworkState()
        try network.relearn()
        let links = network.links.values.sorted { $0.index < $1.index }
        for link in links {
            if case .held(let pid) = ClsactClaim.take(link.index) { throw .inUse(interface: link.name, pid: pid) }
        }
        let linked = pins?.linkedInterfaces ?? []
        let owned = try qdiscsMade(pins)
        let recovered = gracePeriods?.recover()
        if linked.count > GracePeriods.threshold { _ = gracePeriods?.begin() }
        defer { gracePeriods?.end() }
        for link in links {
            let hasFilters = ClsactFilters.areAnyPresent(on: link.index)
            guard hasFilters || linked.contains(link.index) else { continue }
            removal.interfaces.append(link.name)
            ClsactFilters.remove(from: link.index)
            if owned.contains(link.index) { ClsactFilters.removeQdisc(from: link.index) }
            pins?.detach(from: link.index)
        }
        if let pins {
            if !pins.entries.isEmpty { removal.folders.append(pins.path) }
            pins.removeAll()
        }
        for folder in allNamespaces ? PinFolder.all(root: bpffs) : [] {
            removal.folders.append(folder)
            PinFolder.removeFolder(folder)
        }
        switch gracePeriods?.end() ?? recovered {
        case .putBack: removal.putsBackGracePeriods = true
        case .stuck(let reason):
            throw .unsuitable(reason: reason, advice: "a run that was killed has set it to 1: set it to 0 by hand")
        default: break
        }
        return removal
    }

    /// Returns the interfaces whose clsact qdisc an agent has created.
    private static func qdiscsMade(_ pins: PinFolder?) throws(DatapathError) -> Set<UInt32> {
        var made: Set<UInt32> = []
        for layout in pins?.layouts ?? [] {
            guard let maps = try pins?.maps(layout: layout), let reported = maps.reported else {
                if let pins, let table = DescribedTable(layout, in: "\(pins.path)/\(layout)") {
                    made.formUnion(table.ownedQdiscs)
                }
                continue
            }
            for interface in try maps.foundInterfaces()
            where unsafe reported.interface(interface.position).pointee.owns_qdisc == 1 {
                made.insert(interface.index)
            }
        }
        return made
    }
}
