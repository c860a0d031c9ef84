import CWeir
import FlowModel
import Testing

@testable import Datapath

@Suite("Interface selection")
struct InterfaceSelectionTests {
    struct Example: Sendable, CustomTestStringConvertible {
        var name: String
        var selection: InterfaceSelection
        var hosts: Set<String> = []
        var workloads: Set<String> = []
        var unmatched: [String] = []
        var countedTwice: Set<[String]> = []

        var testDescription: String { name }
    }

    /// A node with a VLAN, a bridge, a bond and a VLAN on it, and two pods.
    private static let links = [
        Link(index: 1, name: "lo", type: UInt16(ARPHRD_LOOPBACK), flags: UInt32(IFF_LOOPBACK.rawValue)),
        Link(index: 2, name: "eth0", type: 1, flags: 0),
        Link(index: 3, name: "eth0.5", type: 1, flags: 0, lower: 2),
        Link(index: 4, name: "cali1", type: 1, flags: 0),
        Link(index: 5, name: "cali2", type: 1, flags: 0),
        Link(index: 6, name: "br0", type: 1, flags: 0),
        Link(index: 7, name: "vnet0", type: 1, flags: 0, master: 6),
        Link(index: 8, name: "bond0", type: 1, flags: 0),
        Link(index: 9, name: "eth1", type: 1, flags: 0, master: 8),
        Link(index: 10, name: "bond0.7", type: 1, flags: 0, lower: 8),
    ]

    private static let examples = [
        Example(
            name: "everything but loopback and what stands on others",
            selection: InterfaceSelection(),
            hosts: ["eth0", "eth1", "cali1", "cali2", "vnet0"]
        ),
        Example(name: "a name", selection: InterfaceSelection(include: ["eth0"]), hosts: ["eth0"]),
        Example(name: "loopback by name", selection: InterfaceSelection(include: ["lo"]), hosts: ["lo"]),
        Example(name: "loopback by pattern", selection: InterfaceSelection(include: ["l*"]), hosts: ["lo"]),
        Example(
            name: "a VLAN whose lower device is not watched",
            selection: InterfaceSelection(include: ["eth0.5"]),
            hosts: ["eth0.5"]
        ),
        Example(
            name: "a VLAN and its lower device",
            selection: InterfaceSelection(include: ["eth0*"]),
            hosts: ["eth0"]
        ),
        Example(
            name: "a bridge whose ports are not watched",
            selection: InterfaceSelection(include: ["br0"]),
            hosts: ["br0"]
        ),
        Example(
            name: "a bridge and a port",
            selection: InterfaceSelection(include: ["br?", "vnet*"]),
            hosts: ["vnet0"]
        ),
        Example(
            name: "a bridge that is named, and a port",
            selection: InterfaceSelection(include: ["br0", "vnet*"]),
            hosts: ["br0"]
        ),
        Example(
            name: "a bridge and a port, both named",
            selection: InterfaceSelection(include: ["br0", "vnet0"]),
            hosts: ["br0", "vnet0"],
            countedTwice: [["br0", "vnet0"]]
        ),
        Example(
            name: "a bridge that is named as a workload's",
            selection: InterfaceSelection(workload: ["br0"]),
            hosts: ["eth0", "eth1", "cali1", "cali2"],
            workloads: ["br0"]
        ),
        Example(
            name: "a bridge that is named and excluded",
            selection: InterfaceSelection(exclude: ["br*"], workload: ["br0"]),
            hosts: ["eth0", "eth1", "cali1", "cali2", "vnet0"]
        ),
        Example(
            name: "a VLAN that is named: its lower device carries other traffic, too",
            selection: InterfaceSelection(exclude: ["cali*", "vnet*", "br*", "bond*"], workload: ["eth0.5"]),
            hosts: ["eth0", "eth1"],
            workloads: ["eth0.5"],
            countedTwice: [["eth0.5", "eth0"]]
        ),
        Example(
            name: "a VLAN on a bond whose port is watched, the bond itself not",
            selection: InterfaceSelection(include: ["eth1", "bond0*"]),
            hosts: ["eth1"]
        ),
        Example(
            name: "a VLAN on a bond, the bond excluded",
            selection: InterfaceSelection(exclude: ["bond0", "eth0*", "cali*", "vnet*", "br0"]),
            hosts: ["eth1"]
        ),
        Example(name: "one character", selection: InterfaceSelection(include: ["eth?"]), hosts: ["eth0", "eth1"]),
        Example(name: "a set of characters", selection: InterfaceSelection(include: ["eth[1-9]"]), hosts: ["eth1"]),
        Example(name: "a set that is negated", selection: InterfaceSelection(include: ["eth[!1]"]), hosts: ["eth0"]),
        Example(name: "names are matched whole", selection: InterfaceSelection(include: ["eth"]), unmatched: ["eth"]),
        Example(
            name: "excluded",
            selection: InterfaceSelection(exclude: ["eth*", "vnet0"]),
            hosts: ["cali1", "cali2", "br0", "bond0"]
        ),
        Example(
            name: "exclusion wins",
            selection: InterfaceSelection(include: ["eth0", "eth1"], exclude: ["eth0"]),
            hosts: ["eth1"]
        ),
        Example(
            name: "workloads",
            selection: InterfaceSelection(workload: ["cali*"]),
            hosts: ["eth0", "eth1", "vnet0"],
            workloads: ["cali1", "cali2"]
        ),
        Example(
            name: "workloads beside an include",
            selection: InterfaceSelection(include: ["eth0"], workload: ["cali*"]),
            hosts: ["eth0"],
            workloads: ["cali1", "cali2"]
        ),
        Example(
            name: "workload wins over include",
            selection: InterfaceSelection(include: ["cali*"], workload: ["cali2"]),
            hosts: ["cali1"],
            workloads: ["cali2"]
        ),
        Example(
            name: "an excluded workload",
            selection: InterfaceSelection(include: ["eth1"], exclude: ["cali1"], workload: ["cali*"]),
            hosts: ["eth1"],
            workloads: ["cali2"]
        ),
        Example(
            name: "patterns that match nothing",
            selection: InterfaceSelection(include: ["eth0", "ens*"], exclude: ["x"], workload: ["tap*"]),
            hosts: ["eth0"],
            unmatched: ["ens*", "tap*"]
        ),
    ]

    @Test(arguments: examples)
    func assignsRolesToInterfaces(_ example: Example) {
        let layout = example.selection.layout(of: Self.links)
        let assignments = layout.watched
        func names(_ role: InterfaceRole) -> Set<String> {
            Set(Self.links.filter { assignments[$0.index]?.role == role }.map(\.name))
        }
        #expect(names(.host) == example.hosts)
        #expect(names(.workload) == example.workloads)
        #expect(example.selection.unmatched(by: Self.links) == example.unmatched)
        let twice = layout.countedTwice.map { [Self.name($0.upper), Self.name($0.lower)] }
        #expect(Set(twice) == example.countedTwice)
        // An interface of the selection is either watched or left out with a reason.
        #expect(Set(layout.leftOut.keys).isDisjoint(with: assignments.keys))
        #expect(Set(layout.uppers.keys).isDisjoint(with: assignments.keys))
    }

    private static func name(_ index: UInt32) -> String { links.first { $0.index == index }?.name ?? "" }

    // MARK: Upper devices

    /// By name: the watched lower interfaces, and whether the list is complete.
    private func uppers(_ selection: InterfaceSelection, _ links: [Link] = links) -> [String: UpperDevice] {
        let names = Dictionary(uniqueKeysWithValues: links.map { ($0.index, $0.name) })
        let uppers = selection.layout(of: links).uppers.map { (names[$0.key] ?? "", $0.value) }
        return Dictionary(uniqueKeysWithValues: uppers)
    }

    @Test func upperDevicesListWatchedLowerDevices() {
        #expect(
            uppers(InterfaceSelection()) == [
                "eth0.5": UpperDevice(lowers: [2], isComplete: true),
                "br0": UpperDevice(lowers: [7], isComplete: true),
                "bond0": UpperDevice(lowers: [9], isComplete: true),
                "bond0.7": UpperDevice(lowers: [9], isComplete: true),
            ]
        )
        // The bond itself is watched: packets of the devices on it are counted there.
        #expect(
            uppers(InterfaceSelection(include: ["bond0"])) == [
                "bond0.7": UpperDevice(lowers: [8], isComplete: true)
            ]
        )
    }

    @Test func marksUpperDeviceWithUnwatchedPortAsIncomplete() {
        let links = [
            Link(index: 2, name: "br0", type: 1, flags: 0),
            Link(index: 3, name: "eth0", type: 1, flags: 0, master: 2),
            Link(index: 4, name: "eth1", type: 1, flags: 0, master: 2),
        ]
        #expect(
            uppers(InterfaceSelection(include: ["eth0"]), links) == [
                "br0": UpperDevice(lowers: [3], isComplete: false)
            ]
        )
        #expect(uppers(InterfaceSelection(include: ["br0"]), links) == [:])
    }

    /// A VRF's ports are where its packets are seen.
    @Test func watchesPortsInsteadOfVRF() {
        let links = [
            Link(index: 2, name: "blue", type: 1, flags: 0, kind: "vrf"),
            Link(index: 3, name: "eth0", type: 1, flags: 0, master: 2),
        ]
        let layout = InterfaceSelection(include: ["blue", "eth*"]).layout(of: links)
        #expect(Array(layout.watched.keys) == [3])
        #expect(layout.leftOut == [2: .routing(lowers: ["eth0"])])
        #expect(layout.uppers == [2: UpperDevice(lowers: [3], isComplete: true)])
    }

    @Test func leavesOutPortsOfNamedDevice() {
        let layout = InterfaceSelection(workload: ["br0"]).layout(of: Self.links)
        #expect(layout.leftOut[7] == .portOf("br0"))
        #expect(layout.leftOut[3] == .countedOn(lowers: ["eth0"]))
    }

    // MARK: Automatic roles

    /// A device, and its role with a host route to 10.0.0.5 through it, and without one.
    struct Device: Sendable, CustomTestStringConvertible {
        var name: String
        var kind = "veth"
        var selection = InterfaceSelection()
        var routed: RoleAssignment?
        var alone: RoleAssignment?

        var testDescription: String { "\(name), \(kind), \(selection)" }
    }

    private static let route = RoleReason.route(to: IPAddress(10, 0, 0, 5))
    private static let open = RoleAssignment(role: .host, reason: .standard, isOpen: true)

    private static func always(_ role: InterfaceRole, _ reason: RoleReason, _ device: Device) -> Device {
        var device = device
        device.routed = RoleAssignment(role: role, reason: reason)
        device.alone = device.routed
        return device
    }

    private static let devices = [
        always(.workload, .plugin("Calico"), Device(name: "cali0a1b2c3d4e5")),
        always(.workload, .plugin("Cilium"), Device(name: "lxc12345", kind: "netkit")),
        always(.workload, .plugin("AWS VPC CNI"), Device(name: "eni0a1b2c")),
        always(.workload, .plugin("GKE"), Device(name: "gke0a1b2c")),
        always(.workload, .plugin("Azure CNI"), Device(name: "azv0a1b2c")),
        // A name proves nothing on a device without a peer.
        always(.host, .standard, Device(name: "cali0", kind: "bridge")),
        always(.host, .standard, Device(name: "eni1", kind: "")),
        always(.host, .standard, Device(name: "eth0", kind: "")),
        Device(
            name: "lxc_health",
            routed: RoleAssignment(role: .workload, reason: route),
            alone: open
        ),
        Device(name: "veth1", routed: RoleAssignment(role: .workload, reason: route), alone: open),
        Device(name: "nk1", kind: "netkit", routed: RoleAssignment(role: .workload, reason: route), alone: open),
        // Patterns take precedence.
        Device(name: "cali1", selection: InterfaceSelection(exclude: ["cali*"])),
        Device(name: "cali1", selection: InterfaceSelection(include: ["eth*"])),
        Device(name: "veth1", selection: InterfaceSelection(include: ["eth*"])),
        always(
            .workload,
            .pattern("veth?"),
            Device(name: "veth1", selection: InterfaceSelection(include: ["eth*"], workload: ["veth?"]))
        ),
        always(
            .workload,
            .pattern("tap*"),
            Device(name: "tap1", kind: "tun", selection: InterfaceSelection(workload: ["tap*"]))
        ),
        always(.workload, .pattern("c*"), Device(name: "cali1", selection: InterfaceSelection(workload: ["c*"]))),
        always(.workload, .plugin("Calico"), Device(name: "cali1", selection: InterfaceSelection(include: ["c*"]))),
        always(
            .host,
            .pattern("e*"),
            Device(name: "eth0", kind: "", selection: InterfaceSelection(include: ["e*"]))
        ),
        Device(
            name: "veth1",
            selection: InterfaceSelection(include: ["v*"]),
            routed: RoleAssignment(role: .workload, reason: route),
            alone: RoleAssignment(role: .host, reason: .pattern("v*"), isOpen: true)
        ),
    ]

    @Test(arguments: devices)
    func assignsAutomaticRoleByNameAndRoute(_ device: Device) {
        let links = [Link(index: 7, name: device.name, type: 1, flags: 0, kind: device.kind)]
        #expect(device.selection.layout(of: links, evidence: [7: Self.route]).watched[7] == device.routed)
        #expect(device.selection.layout(of: links, evidence: [8: Self.route]).watched[7] == device.alone)
    }

    @Test func describesRoleReasons() {
        let reasons: [(RoleReason, String)] = [
            (.standard, "default"), (.pattern("cali*"), "matches cali*"), (.plugin("Calico"), "named by Calico"),
            (Self.route, "route to 10.0.0.5"), (.sender(IPAddress(10, 0, 0, 6)), "10.0.0.6 sends through it"),
        ]
        for (reason, text) in reasons { #expect("\(reason)" == text) }
    }

    @Test func linkTypesWithAnEthernetHeader() {
        let types: [(Int32, Bool)] = [
            (ARPHRD_ETHER, true), (ARPHRD_LOOPBACK, true), (ARPHRD_NONE, false), (ARPHRD_PPP, false),
            (ARPHRD_TUNNEL, false), (ARPHRD_TUNNEL6, false), (ARPHRD_SIT, false), (ARPHRD_IPGRE, false),
        ]
        for (type, hasHeader) in types {
            #expect(Link(index: 1, name: "x", type: UInt16(type), flags: 0).hasEthernetHeader == hasHeader, "\(type)")
        }
    }
}
