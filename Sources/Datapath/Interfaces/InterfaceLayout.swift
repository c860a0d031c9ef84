/// The interfaces that are watched, and the relation of the others to them.
struct InterfaceLayout {
    /// The role of each watched interface, by its index.
    var watched: [UInt32: RoleAssignment] = [:]
    /// Devices whose packets are counted on watched interfaces below them, by index.
    var uppers: [UInt32: UpperDevice] = [:]
    /// Interfaces that are selected but not watched, by index, each with the reason.
    var leftOut: [UInt32: LeftOutReason] = [:]
    /// Pairs of watched interfaces, one on top of the other.
    var countedTwice: Set<StackedPair> = []
}

/// A device that is stacked on watched interfaces: a bridge or bond on its ports, a VLAN on its lower device.
struct UpperDevice: Hashable {
    /// The watched interfaces below it, however far below, in the order of their indices.
    var lowers: [UInt32]
    /// Whether every device at the bottom is watched.
    var isComplete: Bool
}

/// Two watched interfaces, one on top of the other.
struct StackedPair: Hashable {
    var upper: UInt32
    var lower: UInt32
}

/// The reason why an interface that the selection contains is not watched.
public enum LeftOutReason: Sendable, Hashable {
    /// Its packets are counted on interfaces below it.
    case countedOn(lowers: [String])
    /// The interface is a port of a device that the selection names, and its packets are counted there.
    case portOf(String)
    /// The interface is a VRF: packets that enter it are counted on its ports, because the kernel shows them nowhere else.
    case routing(lowers: [String])
}

extension LeftOutReason: CustomStringConvertible {
    /// A few words for the operator.
    public var description: String {
        switch self {
        case .countedOn(let lowers): "its packets are counted on \(Self.list(lowers))"
        case .portOf(let upper): "\(upper), which is named, is watched instead; traffic between its ports is not seen"
        case .routing(let lowers): "a VRF shows no packets that enter; they are counted on \(Self.list(lowers))"
        }
    }

    /// The number of names that are listed.
    private static let limit = 4

    private static func list(_ names: [String]) -> String {
        let listed = names.prefix(limit).joined(separator: ", ")
        return names.count > limit ? "\(listed) and \(names.count - limit) more" : listed
    }
}

/// The stacking of interfaces: a bridge, bond or VRF on its ports, a VLAN or macvlan on its lower device.
struct InterfaceStack {
    private var below: [UInt32: [UInt32]] = [:]
    private var ports: [UInt32: [UInt32]] = [:]

    /// Takes all interfaces.
    init(_ links: some Collection<Link>) {
        for link in links {
            if let master = link.master {
                below[master, default: []].append(link.index)
                ports[master, default: []].append(link.index)
            }
            if let lower = link.lower { below[link.index, default: []].append(lower) }
        }
    }

    /// The devices that are stacked on others.
    var uppers: Dictionary<UInt32, [UInt32]>.Keys { below.keys }

    /// Returns the watched interfaces below one, and whether they are all interfaces below it.
    func device(_ upper: UInt32, watched: (UInt32) -> Bool) -> UpperDevice {
        var device = UpperDevice(lowers: [], isComplete: true)
        var seen: Set<UInt32> = [upper]
        var next = below[upper] ?? []
        while let index = next.popLast() {
            guard seen.insert(index).inserted else { continue }
            if watched(index) {
                device.lowers.append(index)
            } else if let further = below[index] {
                next += further
            } else {
                device.isComplete = false
            }
        }
        device.lowers.sort()
        return device
    }

    /// Returns the ports of a bridge or bond, and those of its ports.
    func ports(of upper: UInt32) -> Set<UInt32> {
        var all: Set<UInt32> = []
        var next = ports[upper] ?? []
        while let index = next.popLast() {
            if all.insert(index).inserted { next += ports[index] ?? [] }
        }
        return all
    }
}
