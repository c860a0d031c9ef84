public import FlowModel

/// Packets that a workload's interface sent from addresses of other endpoints.
public struct ForeignSender: Sendable {
    /// The kernel's index of the interface.
    public var interfaceIndex: UInt32
    /// The workload behind the interface; nil if it is unknown.
    public var sender: Endpoint?
    /// Some of the addresses, in the order of their first packets.
    public var addresses: [IPAddress]
    /// The number of flows with such addresses.
    public var flows: UInt64
    /// The number of packets with such source addresses.
    public var packets: UInt64
}

/// Counts packets that workloads send with source addresses of other endpoints.
///
/// An address counts only if it is known to belong to a pod, to another host or to this host. A gateway or a virtual machine
/// behind the interface may forward packets from any other address. The check costs nothing while there are no such flows.
struct ForeignSenders {
    private struct Sender {
        var owner: IPAddress?
        var addresses: [IPAddress] = []
        var flows: UInt64 = 0
        var packets: UInt64 = 0
    }

    /// The senders by interface, with their counts since the last call of ``take(by:)``.
    private var senders: [UInt32: Sender] = [:]
    /// The identifiers of such flows that are active, each with its interface.
    private var flowIDs: [UInt32: UInt32] = [:]
    /// The number of packets since the beginning.
    private(set) var packets: UInt64 = 0

    /// The maximum number of listed addresses of a sender.
    private static let limit = 8

    /// Registers a flow that begins.
    mutating func begin(_ birth: FlowBirth, by resolver: any EndpointResolver) {
        // An identifier may be used again without a reported end.
        if !flowIDs.isEmpty { flowIDs[birth.flowID] = nil }
        let near = birth.key.near
        switch birth.nearPlace {
        case .unknown, .behind: return
        case .elsewhere(let owner): note(birth, owner)
        case .notBehind(let owner):
            let kind = resolver.endpoints(source: near, destination: birth.key.far).source.kind
            if kind == .workload || kind == .host { note(birth, owner) }
        }
    }

    private mutating func note(_ birth: FlowBirth, _ owner: IPAddress?) {
        guard birth.role == .workload else { return }
        let index = birth.key.interfaceIndex
        flowIDs[birth.flowID] = index
        var sender = senders[index] ?? Sender()
        sender.owner = owner
        sender.flows += 1
        if sender.addresses.count < Self.limit, !sender.addresses.contains(birth.key.near) {
            sender.addresses.append(birth.key.near)
        }
        senders[index] = sender
    }

    /// Counts the packets of such flows.
    mutating func count(_ deltas: borrowing [FlowDelta]) {
        guard !flowIDs.isEmpty else { return }
        for position in deltas.indices {
            let sent = deltas[position].ingress.packets
            guard sent > 0, let index = flowIDs[deltas[position].flowID] else { continue }
            senders[index, default: Sender()].packets += sent
            packets += sent
        }
    }

    /// Removes flows that have ended.
    mutating func end(_ ended: borrowing [UInt32]) {
        guard !flowIDs.isEmpty else { return }
        for position in ended.indices { flowIDs[ended[position]] = nil }
    }

    /// Returns the senders that were found since the last call, in the order of the interfaces' indices.
    ///
    /// Flows without packets from the interface are left out: packets to an address do not show its owner.
    mutating func take(by resolver: any EndpointResolver) -> [ForeignSender] {
        guard !senders.isEmpty else { return [] }
        let found = senders.filter { $0.value.packets > 0 }.sorted { $0.key < $1.key }.map { index, sender in
            let owner = sender.owner.map { resolver.endpoints(source: $0, destination: $0).source }
            return ForeignSender(
                interfaceIndex: index,
                sender: owner?.kind == .network ? nil : owner,
                addresses: sender.addresses,
                flows: sender.flows,
                packets: sender.packets
            )
        }
        // Later packets of active flows are added to these senders.
        if flowIDs.isEmpty { senders = [:] }
        for index in senders.keys {
            senders[index]?.flows = 0
            senders[index]?.packets = 0
        }
        return found
    }
}
