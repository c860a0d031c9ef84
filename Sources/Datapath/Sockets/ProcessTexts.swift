import CWeir

/// The paths or the arguments of processes, which programs store at exec() (bpf/processes.bpf.c).
///
/// The last 4,096 processes of the machine have one. A cgroup that starts many processes would evict those of others from there,
/// so the last 16 of each of 64 groups of cgroups are also stored apart, and a cgroup evicts those of its group only.
struct ProcessTexts {
    /// The map of the last processes, by number.
    let all: SharedDescriptor
    /// The map of the last processes of each group.
    let groups: SharedDescriptor

    /// Returns the text of a process; nil if it is not stored, or empty.
    func text(of owner: weir_socket_owner) -> [UInt8]? {
        var key = owner.process
        var text = weir_process_text()
        if unsafe bpf_map_lookup_elem(all.number, &key, &text) == 0, text.isOf(owner) { return text.bytes }
        // The program may store another text meanwhile: then the second copy differs.
        guard let first = lastText(of: owner), first == lastText(of: owner) else { return nil }
        return first
    }

    /// The text that the group of the process has, which is the last one if the process has executed several programs.
    private func lastText(of owner: weir_socket_owner) -> [UInt8]? {
        var key = weir_process_group_of(owner.cgroup)
        var group = weir_process_group()
        guard unsafe bpf_map_lookup_elem(groups.number, &key, &group) == 0 else { return nil }
        return unsafe withUnsafeBytes(of: group.texts) { bytes in
            let texts = unsafe bytes.bindMemory(to: weir_process_text.self)
            return (1...UInt32(WEIR_PROCESS_PLACES)).lazy
                .map { unsafe texts[Int((group.next &- $0) % UInt32(WEIR_PROCESS_PLACES))] }
                .first { $0.isOf(owner) }?.bytes
        }
    }
}

extension weir_process_text {
    fileprivate func isOf(_ owner: weir_socket_owner) -> Bool {
        process == owner.process && start == owner.start && size > 0
    }

    fileprivate var bytes: [UInt8] {
        unsafe withUnsafeBytes(of: text) { unsafe Array($0.prefix(Int(size))) }
    }
}
