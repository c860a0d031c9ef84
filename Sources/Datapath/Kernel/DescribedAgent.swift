import CWeir

/// The state that an agent of any version keeps beside its pinned maps, read with their description
/// (`weir_description.h`).
final class DescribedAgent {
    /// The places of the numbers in all maps.
    let description: weir_description

    private let map: DescribedMap
    private var value: DescribedValue

    /// Opens the pinned state in the folder of a table; nil without a description, or with one of another format.
    init?(in folder: String) {
        guard let descriptions = DescribedMap("\(folder)/description"),
            descriptions.size >= MemoryLayout<weir_description>.size,
            let description = descriptions[0]?.load(weir_description.self),
            description.format == UInt32(WEIR_DESCRIPTION_FORMAT),
            let map = DescribedMap("\(folder)/agent"), let value = map[0]
        else { return nil }
        self.description = description
        self.map = map
        self.value = value
    }

    /// The newest epoch that is committed.
    var committed: UInt32 { value.word(Int(description.agent_committed)) }

    /// The flush that closed that epoch; nil if none was noted.
    var lastCommit: weir_commit? {
        let place = Int(description.commit) + Int(committed & 1) * Int(description.commit_size)
        let boot = value.long(place + Int(description.commit_boot))
        guard value.word(place + Int(description.commit_epoch)) == committed, boot != 0 else { return nil }
        var commit = weir_commit()
        (commit.epoch, commit.boot) = (committed, Int64(bitPattern: boot))
        commit.monotonic = Int64(bitPattern: value.long(place + Int(description.commit_monotonic)))
        commit.wall = Int64(bitPattern: value.long(place + Int(description.commit_wall)))
        let files = place + Int(description.commit_files)
        unsafe withUnsafeMutableBytes(of: &commit.file) { bytes in
            let marks = unsafe bytes.bindMemory(to: weir_file_mark.self)
            for index in 0..<min(marks.count, Int(description.commit_file_count)) {
                let file = files + index * 24
                let (device, inode, length) = (value.long(file), value.long(file + 8), value.long(file + 16))
                unsafe marks[index] = weir_file_mark(device: device, inode: inode, length: length)
            }
        }
        return commit
    }

    // MARK: A table that was read

    /// The layout of another table that was read completely, and whose records are written; nil if there is none.
    var written: String? {
        let epoch = value.word(Int(description.drained_epoch))
        guard epoch != 0, epoch <= committed else { return nil }
        return value.text(description.drained, size: description.drained_size)
    }

    /// Removes the note about that table.
    func forgetDrained() {
        guard value.word(Int(description.drained_epoch)) != 0 else { return }
        value.clear(description.drained_epoch, size: 4)
        value.clear(description.drained, size: description.drained_size)
        map.store(value, at: 0)
    }

    // MARK: The operation in progress

    private var phase: UInt32 { value.word(Int(description.redo_phase)) }

    /// The position that was being released: the counts of removed interfaces include its counts; nil if there is none.
    var releasedPosition: Int? {
        phase == description.redo_is_release ? Int(value.word(Int(description.redo_subject))) : nil
    }

    /// The uncommitted loose counts of an element of "interface_reported".
    func loose(_ element: DescribedValue, at index: Int) -> RemainderLedger.Counts {
        let isBegun = phase != 0 && value.word(Int(description.redo_position)) == UInt32(clamping: index)
        return loose(isBegun ? value : element, from: isBegun ? description.redo_loose : description.loose)
    }

    private func loose(_ value: DescribedValue, from first: UInt32) -> RemainderLedger.Counts {
        var counts = RemainderLedger.Counts()
        for index in 0..<2 {
            let place = Int(first) + index * Int(description.loose_size)
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
}
