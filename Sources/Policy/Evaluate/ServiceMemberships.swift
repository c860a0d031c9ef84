import FlowModel

/// Finds the services in rules that have an address and port as an endpoint.
///
/// Immutable.
final class ServiceMemberships: Sendable {
    private struct Port: Hashable, Sendable {
        var address: IPAddress
        var port: UInt16
        var proto: IPProtocol
    }

    private let byAddress: [IPAddress: UInt32]
    private let byPort: [Port: UInt32]
    /// Numbers of services, ascending; the first set is empty.
    private let sets: [[UInt32]]

    /// Whether no service in rules has endpoints.
    var isEmpty: Bool { sets.count == 1 }

    /// Builds the sets from the endpoints of each service in ``RuleTables/services``.
    init(_ endpoints: [(service: UInt32, addresses: [IPAddress], ports: [NamedPort])]) {
        var addressServices: [IPAddress: Set<UInt32>] = [:]
        var portServices: [Port: Set<UInt32>] = [:]
        for group in endpoints {
            for address in group.addresses {
                addressServices[address, default: []].insert(group.service)
                for port in group.ports {
                    portServices[Port(address: address, port: port.port, proto: port.proto), default: []]
                        .insert(group.service)
                }
            }
        }
        var sets: [[UInt32]] = [[]]
        var numbers: [[UInt32]: UInt32] = [[]: 0]
        func number(_ members: Set<UInt32>) -> UInt32 {
            let list = members.sorted()
            if let number = numbers[list] { return number }
            let number = UInt32(sets.count)
            sets.append(list)
            numbers[list] = number
            return number
        }
        byAddress = addressServices.mapValues(number)
        byPort = portServices.mapValues(number)
        self.sets = sets
    }

    /// The number of the set of services that an address belongs to, for any port.
    func set(of address: IPAddress) -> UInt32 {
        byAddress[address] ?? 0
    }

    /// The number of the set of services that have the address and port as an endpoint.
    func set(of address: IPAddress, port: UInt16, proto: IPProtocol) -> UInt32 {
        byPort[Port(address: address, port: port, proto: proto)] ?? 0
    }

    /// Whether a set contains a service.
    func contains(_ set: UInt32, _ service: UInt32) -> Bool {
        sets[Int(set)].contains(service)
    }
}
