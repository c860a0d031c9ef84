import CWeir
import FlowModel

/// The flow table of an agent of another version, as far as its description contains the places of its numbers
/// (`weir_description.h`).
///
/// Its flows cannot be read. The traffic of its interfaces that is in no record is the difference of two sums, and is reported
/// without flows. Nothing in the table is changed.
final class DescribedTable: FormerTable {
    let layout: String
    let found: [FoundInterface]
    private(set) var unwritten = RemainderLedger.Counts()

    private let agent: DescribedAgent
    private let accounts: DescribedMap
    private let interfaces: DescribedMap
    private let reported: DescribedMap

    /// Opens the table in a folder; nil if it has no description, or one of another format.
    init?(_ layout: String, in path: String) {
        guard let agent = DescribedAgent(in: path), let accounts = DescribedMap("\(path)/accounts"),
            let interfaces = DescribedMap("\(path)/interfaces"),
            let reported = DescribedMap("\(path)/interface_reported")
        else { return nil }
        self.layout = layout
        self.agent = agent
        found = Self.interfaces(accounts, agent.description).filter { $0.position != agent.releasedPosition }
        self.accounts = accounts
        self.interfaces = interfaces
        self.reported = reported
    }

    private var description: weir_description { agent.description }

    private static func interfaces(
        _ accounts: borrowing DescribedMap,
        _ description: weir_description
    ) -> [FoundInterface] {
        var found: [FoundInterface] = []
        for position in 0..<Int(min(description.positions, 1 << 16)) {
            guard let account = accounts[position * Int(description.cpus) * 2] else { break }
            let index = account.word(Int(description.account_ifindex))
            guard index != 0 else { continue }
            let isUpper = account.word(Int(description.account_flags)) & description.account_is_upper != 0
            found.append(FoundInterface(position: position, index: index, isUpper: isUpper))
        }
        return found
    }

    var ownedQdiscs: [UInt32] {
        found.filter { reported[$0.position]?.word(Int(description.reported_owns_qdisc)) == 1 }.map(\.index)
    }

    var lastCommit: weir_commit? { agent.lastCommit }

    var gone: RemainderLedger.Counts {
        let index = Int(description.reported_gone)
        return reported[index].map { agent.loose($0, at: index) } ?? .init()
    }

    func drain(
        now: UInt32,
        role: (UInt32) -> InterfaceRole,
        emit: (FlowBatch) -> Void
    ) throws(DatapathError) -> [InterfaceAccount] {
        var batch = FlowBatch()
        var closed: [InterfaceAccount] = []
        for interface in found where !interface.isUpper {
            let (ingress, egress) = (direction(0, of: interface), direction(1, of: interface))
            let counts = RemainderLedger.Counts(ingress, egress)
            if counts != RemainderLedger.Counts() {
                batch.remainders.append(FlowRemainder(counts, interface.index, role(interface.index), local: nil))
                unwritten += counts
            }
            closed.append(
                InterfaceAccount(
                    name: name(of: interface),
                    index: interface.index,
                    role: role(interface.index),
                    ingress: ingress.account,
                    egress: egress.account
                )
            )
        }
        if !batch.isEmpty { emit(batch) }
        return closed
    }

    private func name(of interface: FoundInterface) -> String {
        let name = reported[interface.position]?.text(description.reported_name, size: description.reported_name_size)
        return name ?? ""
    }

    /// Returns the traffic of an interface in a direction, and the part of it that is in records.
    private func direction(_ direction: Int, of interface: FoundInterface) -> DescribedDirection {
        var result = DescribedDirection()
        for cpu in 0..<Int(description.cpus) {
            guard let account = accounts[(interface.position * Int(description.cpus) + cpu) * 2 + direction] else {
                break
            }
            result.account.seen += account.pair(Int(description.account_seen))
            result.account.skb += account.pair(Int(description.account_skb))
            result.account.denied.seen += account.pair(Int(description.account_denied))
        }
        if let rest = interfaces[interface.position] {
            result.account.notIP = rest.pair(Int(description.interface_not_ip), at: direction)
            result.account.unparsed = rest.pair(Int(description.interface_unparsed), at: direction)
        }
        guard let value = reported[interface.position], let place = newestVersion(value) else { return result.closed }
        let crossed = description.version_crossed
        for offset in [crossed.0, crossed.1, crossed.2, crossed.3] {
            result.recorded += value.pair(place + Int(offset), at: direction)
        }
        for offset in [description.version_denied.0, description.version_denied.1] {
            result.recordedDenied += value.pair(place + Int(offset), at: direction)
        }
        for offset in [description.version_denied_lanes.0, description.version_denied_lanes.1] {
            result.recordedDenied += value.pair(place + Int(offset), at: direction)
            // The third lane contains packets that entered, too.
            if direction == 0 { result.recordedDenied += value.pair(place + Int(offset), at: 2) }
        }
        return result.closed
    }

    /// Returns the place of the newest committed version; nil if there is none.
    private func newestVersion(_ value: DescribedValue) -> Int? {
        var newest: (epoch: UInt32, place: Int)?
        for index in 0..<2 {
            let place = Int(description.version_first) + index * Int(description.version_size)
            let epoch = value.word(place + Int(description.version_epoch))
            if epoch != 0, epoch <= agent.committed, epoch > newest?.epoch ?? 0 { newest = (epoch, place) }
        }
        return newest?.place
    }
}

/// The account of a direction, and the part of it that is in records.
private struct DescribedDirection {
    var account = DirectionAccount()
    var recorded = TrafficCounters.zero
    var recordedDenied = TrafficCounters.zero

    /// The same with the recorded part as flows, and the rest as remainder.
    var closed: DescribedDirection {
        var closed = self
        closed.account.flows = recorded
        closed.account.remainder = account.seen - account.notIP - account.unparsed - recorded
        closed.account.denied.flows = recordedDenied
        closed.account.denied.remainder = account.denied.seen - recordedDenied
        return closed
    }
}

extension RemainderLedger.Counts {
    /// Takes the part that is in no record.
    ///
    /// Denied packets beyond those that entered were denied before they were counted.
    fileprivate init(_ ingress: DescribedDirection, _ egress: DescribedDirection) {
        let (entered, denied) = (ingress.account.remainder, ingress.account.denied.remainder)
        let isCounted = denied.packets <= entered.packets && denied.bytes <= entered.bytes
        self.init(
            ingress: entered,
            egress: egress.account.remainder,
            deniedIngress: isCounted ? denied : .zero,
            deniedEgress: egress.account.denied.remainder,
            deniedUncounted: isCounted ? .zero : denied
        )
    }
}
