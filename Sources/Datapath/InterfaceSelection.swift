import FlowModel
import Glibc

/// Which interfaces are watched, and in which role, by shell patterns (`*`, `?`, `[…]`) on their names.
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

    /// The role of each interface that is to be watched, by its index.
    ///
    /// An interface that stands on watched ones (VLAN and macvlan on their lower device, bridge and bond on their
    /// ports) is left out: its packets are counted below, and must not be counted twice.
    func roles(of links: some Collection<Link>) -> [UInt32: InterfaceRole] {
        var roles: [UInt32: InterfaceRole] = [:]
        for link in links {
            roles[link.index] = role(of: link)
        }
        let covered = Self.standingOnOthers(links, watched: roles)
        return roles.filter { !covered.contains($0.key) }
    }

    private func role(of link: Link) -> InterfaceRole? {
        if Self.matches(link.name, exclude) { return nil }
        if Self.matches(link.name, workload) { return .workload }
        let isIncluded = include.isEmpty ? !link.isLoopback : Self.matches(link.name, include)
        return isIncluded ? .host : nil
    }

    /// Interfaces whose traffic also crosses a watched one below them, however far below.
    private static func standingOnOthers(
        _ links: some Collection<Link>,
        watched: [UInt32: InterfaceRole]
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
            !links.contains { Self.matches($0.name, [pattern]) }
        }
    }

    private static func matches(_ name: String, _ patterns: [String]) -> Bool {
        patterns.contains { unsafe fnmatch($0, name, 0) == 0 }
    }
}
