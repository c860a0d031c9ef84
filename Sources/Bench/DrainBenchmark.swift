import CWeir
import Datapath
import FlowModel
import Glibc

/// Measures the agent's cost of reading the flow table: a scan in shared memory compared with batch lookup-and-delete of as
/// many entries of a BPF hash map.
package enum DrainBenchmark {
    private static let rounds = 5

    /// Measures 10,000, 100,000 and 1,000,000 live flows.
    ///
    /// - Throws: a `DatapathError` if maps cannot be created.
    package static func run(report: (Measurement) -> Void) throws {
        for flows in [10_000, 100_000, 1_000_000] {
            let scan = try scanTime(flows: flows)
            let batch = try batchTime(entries: flows)
            report(
                Measurement(
                    "drain/\(flows)-flows",
                    unit: "ns/flow",
                    value: scan / Double(flows),
                    baseline: batch / Double(flows),
                    against: "bpf_map_lookup_and_delete_batch, 4096 a call"
                )
            )
        }
    }

    // MARK: Flow table

    /// Time of a scan that finds every flow changed, ns.
    private static func scanTime(flows: Int) throws -> Double {
        // At most half full, as the documentation advises.
        let slots = max(1 << 17, 1 << (Int.bitWidth - (2 * flows - 1).leadingZeroBitCount))
        let programs = try KernelPrograms(.flows, tableSlots: slots, ringBytes: 4096)
        let table = try programs.table()
        table.slots.needAll()
        let touched = fill(table, flows: flows, programs.configuration)
        let base = table.slots.base
        var reader = FlowTableReader(
            table: table,
            configuration: programs.configuration,
            timeouts: FlowTimeouts()
        )
        let roles = [InterfaceRole](repeating: .host, count: Int(WEIR_MAX_INTERFACES))
        var deltas = 0
        var best = Double.infinity
        for round in 0...UInt32(rounds) {
            for index in touched {
                base[Int(index)].lane.0 += 1 << UInt64(WEIR_LANE_BYTES_BITS) | 64
            }
            let surroundings = FlowTableReader.Surroundings(now: round + 1, started: 0, roles: roles)
            deltas = 0
            let time = try fastest(of: 1) {
                try reader.scan(surroundings, fence: {}) { deltas += $0.deltas.count }
            }
            // The first scan registers the flows; only later scans are measured.
            if round > 0 { best = min(best, time) }
        }
        precondition(deltas == touched.count, "a scan reads every flow")
        return best
    }

    /// Stores flows in the slots that the programs would use; returns the slots.
    private static func fill(
        _ table: borrowing FlowTable,
        flows: Int,
        _ configuration: weir_config
    ) -> [UInt32] {
        var touched: [UInt32] = []
        var number: UInt32 = 0
        while touched.count < flows {
            var slot = weir_flow_slot()
            slot.interface = 1
            slot.addr.1 = 0x0100_000a << 32 | UInt64(number)
            slot.near_port = 0x409c
            slot.far_port = 0xbb01
            slot.protocol = 6
            slot.state = WEIR_SLOT_LIVE_V4.rawValue
            number += 1
            let home = withUnsafePointer(to: configuration) { weir_slot_home(&slot, $0) }
            let window = (0..<UInt32(WEIR_WINDOW)).map { (home &+ $0) & configuration.slot_mask }
            guard let free = window.first(where: { table.slots.base[Int($0)].state == WEIR_SLOT_FREE.rawValue }) else {
                continue
            }
            table.shares.takeSlot(of: 1)
            table.slots.base[Int(free)] = slot
            table.occupied.base[Int(free) >> Int(WEIR_OCCUPIED_SHIFT)] |= 1 << UInt64(free & 63)
            touched.append(free)
        }
        return touched
    }

    // MARK: Hash map

    private struct Counter {
        var packets: UInt64 = 1
        var bytes: UInt64 = 64
        var last: UInt64 = 1
    }

    private static let batchSize = 4096

    /// Time to empty a hash map in batches, ns.
    private static func batchTime(entries: Int) throws -> Double {
        let map = bpf_map_create(
            BPF_MAP_TYPE_HASH,
            "weir_bench",
            UInt32(MemoryLayout<weir_flow_key>.size),
            UInt32(MemoryLayout<Counter>.size),
            UInt32(entries),
            nil
        )
        guard map >= 0 else {
            throw DatapathError.system(operation: "create a hash map of \(entries)", errno: -map, advice: "")
        }
        defer { close(map) }
        var best = Double.infinity
        for _ in 0..<3 {
            try fillHash(map, entries: entries)
            var taken = 0
            best = min(best, try fastest(of: 1) { taken = try emptyHash(map) })
            precondition(taken == entries, "the batches empty the map")
        }
        return best
    }

    private static func fillHash(_ map: Int32, entries: Int) throws {
        let values = [Counter](repeating: Counter(), count: batchSize)
        for start in stride(from: 0, to: entries, by: batchSize) {
            var count = UInt32(min(batchSize, entries - start))
            let keys = (0..<Int(count)).map { offset in
                var key = weir_flow_key()
                key.addr.1 = UInt64(start + offset)
                key.protocol = 6
                return key
            }
            let result = bpf_map_update_batch(map, keys, values, &count, nil)
            guard result == 0 else {
                throw DatapathError.system(operation: "fill a hash map", errno: -result, advice: "")
            }
        }
    }

    private static func emptyHash(_ map: Int32) throws -> Int {
        var keys = [weir_flow_key](repeating: weir_flow_key(), count: batchSize)
        var values = [Counter](repeating: Counter(), count: batchSize)
        var cursor: UInt32 = 0
        var isFirst = true
        var taken = 0
        while true {
            var count = UInt32(batchSize)
            var next: UInt32 = 0
            let result = withUnsafeMutablePointer(to: &cursor) { cursor in
                bpf_map_lookup_and_delete_batch(map, isFirst ? nil : cursor, &next, &keys, &values, &count, nil)
            }
            taken += Int(count)
            if result == -ENOENT { return taken }
            guard result == 0 else {
                throw DatapathError.system(operation: "empty a hash map", errno: -result, advice: "")
            }
            cursor = next
            isFirst = false
        }
    }
}
