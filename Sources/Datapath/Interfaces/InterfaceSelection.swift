import FlowModel
import Glibc

/// The interfaces to watch, and their roles, by shell patterns (`*`, `?`, `[…]`) on their names.
///
/// Where no pattern decides, the kernel's information does: the node's end of a pair (veth, netkit) is a workload's if its name
/// is one that a network plugin assigns, if a host route leads through it to a workload of this host, or if such a workload has
/// sent through it. This applies only to watched interfaces; it adds none to those that ``include`` names.
public struct InterfaceSelection: Sendable, Hashable {
    /// Watch these; empty: every interface except loopback.
    public var include: [String]
    /// Patterns of interfaces that are not watched.
    public var exclude: [String]
    /// Patterns of the node's side of workloads' devices, which are watched whether or not `include` names them.
    public var workload: [String]

    /// Takes all members.
    public init(include: [String] = [], exclude: [String] = [], workload: [String] = []) {
        self.include = include
        self.exclude = exclude
        self.workload = workload
    }

    /// Returns the interfaces to watch, and their roles.
    ///
    /// An interface that is stacked on watched ones (VLAN and macvlan on their lower device, bridge, bond and VRF on their
    /// ports) is left out: its packets are counted below, and must not be counted twice. An interface that a pattern names
    /// without wildcards is watched nevertheless, and its ports are left out unless patterns name them too. A VRF is never
    /// watched, because the kernel does not show packets that enter it.
    ///
    /// - Parameters:
    ///   - links: all interfaces.
    ///   - evidence: the reasons to assume a workload behind an interface, by its index.
    /// - Returns: the interfaces that are watched, those that are stacked on them, and those that are left out.
    func layout(of links: some Collection<Link>, evidence: [UInt32: RoleReason] = [:]) -> InterfaceLayout {
        var layout = InterfaceLayout()
        var links = Dictionary(links.map { ($0.index, $0) }) { _, newer in newer }
        let stack = InterfaceStack(links.values)
        for link in links.values {
            layout.watched[link.index] = assignment(of: link, evidence[link.index])
        }
        links = links.filter { layout.watched[$0.key] != nil }
        let selected = layout.watched
        let named = Set(links.values.filter { isNamed($0) && $0.kind != "vrf" }.map(\.index))
        for upper in named {
            guard let link = links[upper] else { continue }
            for port in stack.ports(of: upper) where selected[port] != nil && !named.contains(port) {
                layout.watched[port] = nil
                layout.leftOut[port] = .portOf(link.name)
            }
        }
        let remaining = layout.watched
        for upper in stack.uppers {
            let isNamed = named.contains(upper)
            // An interface that is stacked on one that is left out is counted below that, or on the named device above it.
            let device = stack.device(upper) { remaining[$0] != nil && ($0 == upper || !isCovered($0)) }
            guard !device.lowers.isEmpty else { continue }
            if isNamed {
                for lower in device.lowers { layout.countedTwice.insert(StackedPair(upper: upper, lower: lower)) }
                continue
            }
            layout.uppers[upper] = device
            guard selected[upper] != nil, let link = links[upper] else { continue }
            let names = device.lowers.compactMap { links[$0]?.name }
            layout.watched[upper] = nil
            layout.leftOut[upper] = isNamedVRF(link) ? .routing(lowers: names) : .countedOn(lowers: names)
        }
        return layout

        func isCovered(_ index: UInt32) -> Bool {
            !named.contains(index) && !stack.device(index) { remaining[$0] != nil }.lowers.isEmpty
        }
    }

    /// Whether a pattern without wildcards names an interface.
    private func isNamed(_ link: Link) -> Bool { (include + workload).contains(link.name) }

    private func isNamedVRF(_ link: Link) -> Bool { link.kind == "vrf" && isNamed(link) }

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

    /// The prefixes that network plugins give to the node's ends of their pods' pairs.
    private static let plugins = [
        ("cali", "Calico"), ("lxc", "Cilium"), ("eni", "AWS VPC CNI"), ("gke", "GKE"), ("azv", "Azure CNI"),
    ]

    /// Returns the network plugin that assigns such names to pods' devices.
    private static func plugin(naming name: String) -> String? {
        // Behind it is Cilium's own probe, not a pod.
        if name == "lxc_health" { return nil }
        return plugins.first { name.hasPrefix($0.0) }?.1
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
