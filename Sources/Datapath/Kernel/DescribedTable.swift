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

    private let description: weir_description
    private let accounts: DescribedMap
    private let interfaces: DescribedMap
    private let reported: DescribedMap
    private let agent: DescribedValue

    /// Opens the table in a folder; nil if it has no description, or one of another format.
    init?(_ layout: String, in path: String) {
        guard let descriptions = DescribedMap("\(path)/description"),
            descriptions.size >= MemoryLayout<weir_description>.size, let value = descriptions[0],
            let description = weir_description(value), description.format == UInt32(WEIR_DESCRIPTION_FORMAT),
            let accounts = DescribedMap("\(path)/accounts"), let interfaces = DescribedMap("\(path)/interfaces"),
            let reported = DescribedMap("\(path)/interface_reported"), let agents = DescribedMap("\(path)/agent"),
            let agent = agents[0]
        else { return nil }
        self.layout = layout
        self.description = description
        found = Self.interfaces(accounts, description)
        self.accounts = accounts
        self.interfaces = interfaces
        self.reported = reported
        self.agent = agent
    }

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

    private var committed: UInt32 { agent.word(Int(description.agent_committed)) }

    var lastCommit: weir_commit? {
        let place = Int(description.commit) + Int(committed & 1) * Int(description.commit_size)
        let boot = agent.long(place + Int(description.commit_boot))
        guard agent.word(place + Int(description.commit_epoch)) == committed, boot != 0 else { return nil }
        var commit = weir_commit()
        (commit.epoch, commit.boot) = (committed, Int64(bitPattern: boot))
        commit.monotonic = Int64(bitPattern: agent.long(place + Int(description.commit_monotonic)))
        commit.wall = Int64(bitPattern: agent.long(place + Int(description.commit_wall)))
        let files = place + Int(description.commit_files)
        unsafe withUnsafeMutableBytes(of: &commit.file) { bytes in
            let marks = unsafe bytes.bindMemory(to: weir_file_mark.self)
            for index in 0..<min(marks.count, Int(description.commit_file_count)) {
                let file = files + index * 24
                let (device, inode, length) = (agent.long(file), agent.long(file + 8), agent.long(file + 16))
                unsafe marks[index] = weir_file_mark(device: device, inode: inode, length: length)
            }
        }
        return commit
    }

    var gone: RemainderLedger.Counts {
        guard let value = reported[Int(description.reported_gone)] else { return .init() }
        var counts = RemainderLedger.Counts()
        for index in 0..<2 {
            let place = Int(description.loose) + index * Int(description.loose_size)
            guard value.word(place + Int(description.loose_epoch)) > committed else { continue }
            let crossed = place + Int(description.loose_crossed)
            let denied = place + Int(description.loose_denied)
            counts += RemainderLedger.Counts(
                ingress: value.pair(crossed),
                egress: value.pair(crossed, at: 1),
                deniedIngress: value.pair(denied),
                deniedEgress: value.pair(denied, at: 1),
                deniedUncounted: value.pair(denied, at: 2)
            )
        }
        return counts
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
            if epoch != 0, epoch <= committed, epoch > newest?.epoch ?? 0 { newest = (epoch, place) }
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

extension weir_description {
    /// Takes a pinned description; nil if it is too short.
    fileprivate init?(_ value: DescribedValue) {
        guard let description = value.load(weir_description.self) else { return nil }
        self = description
    }
}
