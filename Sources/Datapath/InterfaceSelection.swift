import FlowModel
import Glibc

/// Which interfaces are watched, and in which role, by shell patterns (`*`, `?`, `[…]`) on their names.
///
/// What no pattern decides is decided by what is known: the node's end of a pair (veth, netkit) is a workload's if its
/// name is one that a network plugin gives, if a host route leads through it to a workload of this host, or if such a
/// workload has sent through it. That is so for the interfaces that are watched; it adds none to those that ``include``
/// names.
public struct InterfaceSelection: Sendable, Hashable {
    /// Watch these; empty: every interface except loopback.
    public var include: [String]
    /// But not these.
    public var exclude: [String]
    /// These are the node's side of a workload's device; they are watched whether or not `include` names them.
    public var workload: [String]

    /// Takes all members.
    public init(include: [String] = [], exclude: [String] = [], workload: [String] = []) {
        self.include = include
        self.exclude = exclude
        self.workload = workload
    }

    /// What each interface that is to be watched is taken for, by its index.
    ///
    /// An interface that stands on watched ones (VLAN and macvlan on their lower device, bridge and bond on their
    /// ports) is left out: its packets are counted below, and must not be counted twice.
    ///
    /// - Parameters:
    ///   - links: all interfaces.
    ///   - evidence: what shows that there is a workload behind an interface, by its index.
    /// - Returns: role and reason.
    func assignments(
        of links: some Collection<Link>,
        evidence: [UInt32: RoleReason] = [:]
    ) -> [UInt32: RoleAssignment] {
        var assignments: [UInt32: RoleAssignment] = [:]
        for link in links {
            assignments[link.index] = assignment(of: link, evidence[link.index])
        }
        let covered = Self.standingOnOthers(links, watched: assignments)
        return assignments.filter { !covered.contains($0.key) }
    }

    private func assignment(of link: Link, _ evidence: RoleReason?) -> RoleAssignment? {
        if Self.firstMatch(link.name, exclude) != nil { return nil }
        if let pattern = Self.firstMatch(link.name, workload) {
            return RoleAssignment(role: .workload, reason: .pattern(pattern))
        }
        var reason = RoleReason.standard
        if !include.isEmpty {
            guard let pattern = Self.firstMatch(link.name, include) else { return nil }
            reason = .pattern(pattern)
        } else if link.isLoopback {
            return nil
        }
        guard link.isPair else { return RoleAssignment(role: .host, reason: reason) }
        if let plugin = Self.plugin(naming: link.name) {
            return RoleAssignment(role: .workload, reason: .plugin(plugin))
        }
        if let evidence { return RoleAssignment(role: .workload, reason: evidence) }
        return RoleAssignment(role: .host, reason: reason, isOpen: true)
    }

    /// How network plugins begin the names of the node's ends of their pods' pairs.
    private static let plugins = [
        ("cali", "Calico"), ("lxc", "Cilium"), ("eni", "AWS VPC CNI"), ("gke", "GKE"), ("azv", "Azure CNI"),
    ]

    /// The network plugin that gives such names to pods' devices.
    private static func plugin(naming name: String) -> String? {
        // Behind it is Cilium's own probe, no pod.
        if name == "lxc_health" { return nil }
        return plugins.first { name.hasPrefix($0.0) }?.1
    }

    /// Interfaces whose traffic also crosses a watched one below them, however far below.
    private static func standingOnOthers(
        _ links: some Collection<Link>,
        watched: [UInt32: RoleAssignment]
    ) -> Set<UInt32> {
        var above: [UInt32: [UInt32]] = [:]
        for link in links {
            if let master = link.master { above[link.index, default: []].append(master) }
            if let lower = link.lower { above[lower, default: []].append(link.index) }
        }
        var covered: Set<UInt32> = []
        var next = watched.keys.flatMap { above[$0] ?? [] }
        while let index = next.popLast() {
            if covered.insert(index).inserted { next += above[index] ?? [] }
        }
        return covered
    }

    /// The patterns that no interface matches.
    func unmatched(by links: some Collection<Link>) -> [String] {
        (include + workload).filter { pattern in
            !links.contains { Self.firstMatch($0.name, [pattern]) != nil }
        }
    }

    private static func firstMatch(_ name: String, _ patterns: [String]) -> String? {
        patterns.first { unsafe fnmatch($0, name, 0) == 0 }
    }
}
