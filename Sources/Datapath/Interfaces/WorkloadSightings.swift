import FlowModel

/// The interfaces through which workloads were seen to send.
///
/// If pods' devices are ports of a bridge, no host route leads through them; a device that is not a pair has no namespace
/// whose addresses could be read. Their packets show the workload nevertheless.
struct WorkloadSightings {
    /// Watched interfaces that may have a workload behind them.
    var open: Set<UInt32> = []
    /// The first address that was seen behind an interface.
    private(set) var addresses: [UInt32: IPAddress] = [:]
    /// Whether there are new ones since this was last set to false.
    var hasChanged = false

    /// Examines flows that are being born, and sets the role of a workload's interface in theirs.
    ///
    /// - Parameters:
    ///   - batch: the batch of a scan.
    ///   - isWorkload: whether an address belongs to a workload that may be behind an interface yet unknown.
    /// - Returns: the batch with the present roles of its births.
    mutating func examine(_ batch: FlowBatch, isWorkload: (IPAddress) -> Bool) -> FlowBatch {
        var batch = batch
        for position in batch.births.indices {
            let index = batch.births[position].key.interfaceIndex
            guard open.contains(index) else { continue }
            if addresses[index] == nil {
                let address = batch.births[position].key.near
                // Egress is no evidence: a bridge floods packets to all its ports if it has no port for the address.
                guard batch.births[position].marks.hasEntered, isWorkload(address), !addresses.values.contains(address)
                else { continue }
                addresses[index] = address
                hasChanged = true
            }
            batch.births[position].role = .workload
        }
        return batch
    }

    /// Forgets interfaces that are gone, or not watched any more.
    mutating func forget(interfaces: some Sequence<UInt32>) {
        for index in interfaces {
            addresses[index] = nil
            open.remove(index)
        }
    }

    /// Forgets addresses that do not belong to a workload any more.
    mutating func keep(workloads: Set<IPAddress>) {
        addresses = addresses.filter { workloads.contains($0.value) }
    }
}
