public import FlowModel

/// Packets that a workload's interface sent from addresses of other endpoints.
public struct ForeignSender: Sendable {
    /// The kernel's index of the interface.
    public var interfaceIndex: UInt32
    /// The workload behind the interface; nil if it is unknown.
    public var sender: Endpoint?
    /// Some of the addresses, in the order in which they were seen.
    public var addresses: [IPAddress]
    /// The number of flows with such addresses.
    public var flows: UInt64
    /// The number of packets that were sent with them.
    public var packets: UInt64
}

/// Counts packets that workloads send under addresses of others.
///
/// Only an address that is known to be a pod's, a host's or this host's counts: another one that is not known to be behind an
/// interface may come from a gateway or a virtual machine there. Costs nothing as long as there is no such flow.
struct ForeignSenders {
    private struct Sender {
        var owner: IPAddress?
        var addresses: [IPAddress] = []
        var flows: UInt64 = 0
        var packets: UInt64 = 0
    }

    /// The senders by interface, with their counts since they were taken last.
    private var senders: [UInt32: Sender] = [:]
    /// The identifiers of such flows that have not ended, each with its interface.
    private var flowIDs: [UInt32: UInt32] = [:]
    /// Packets since the beginning.
    private(set) var packets: UInt64 = 0

    /// Addresses that are listed.
    private static let limit = 8

    /// Takes in a flow that begins.
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

    /// Counts the packets that such flows have sent.
    mutating func count(_ deltas: borrowing [FlowDelta]) {
        guard !flowIDs.isEmpty else { return }
        for position in deltas.indices {
            let sent = deltas[position].ingress.packets
            guard sent > 0, let index = flowIDs[deltas[position].flowID] else { continue }
            senders[index, default: Sender()].packets += sent
            packets += sent
        }
    }

    /// Forgets flows that have ended.
    mutating func end(_ ended: borrowing [UInt32]) {
        guard !flowIDs.isEmpty else { return }
        for position in ended.indices { flowIDs[ended[position]] = nil }
    }

    /// Returns the senders that were found since the last call, in the order of the interfaces' indices.
    ///
    /// Flows without received packets are left out: packets to an address do not show who has it.
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
        // Running flows are counted under the senders that are known.
        if flowIDs.isEmpty { senders = [:] }
        for index in senders.keys {
            senders[index]?.flows = 0
            senders[index]?.packets = 0
        }
        return found
    }
}
