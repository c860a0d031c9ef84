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
            selection: InterfaceSelection(include: ["br0", "vnet*"]),
            hosts: ["vnet0"]
        ),
        Example(
            name: "a VLAN on a bond whose port is watched, the bond itself not",
            selection: InterfaceSelection(include: ["eth1", "bond0.7"]),
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
    func everyInterfaceHasItsRole(_ example: Example) {
        let roles = example.selection.roles(of: Self.links)
        func names(_ role: InterfaceRole) -> Set<String> {
            Set(Self.links.filter { roles[$0.index] == role }.map(\.name))
        }
        #expect(names(.host) == example.hosts)
        #expect(names(.workload) == example.workloads)
        #expect(example.selection.unmatched(by: Self.links) == example.unmatched)
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
