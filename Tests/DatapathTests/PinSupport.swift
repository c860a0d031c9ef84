import CWeir
import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

extension BPFFileSystem {
    /// Everything that is pinned, by path.
    var pins: [String] { Self.files(below: path + "/weir") }

    private static func files(below path: String) -> [String] {
        PinFolder.entries(of: path).flatMap { name -> [String] in
            let entry = "\(path)/\(name)"
            var status = stat()
            guard lstat(entry, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return [entry] }
            return files(below: entry)
        }
    }
}

/// The receiving side of a cable, watched by agents that are killed and restarted.
struct RestartScene {
    let cable: Cable
    let bpffs: BPFFileSystem
    var configuration: DatapathConfiguration

    init(_ mode: AttachMode = .auto, slots: Int = 1024) throws {
        cable = try Cable()
        bpffs = try BPFFileSystem()
        configuration = DatapathConfiguration(tableSlots: slots, ringBytes: 1 << 16, attachMode: mode)
        configuration.pinning = .untilEnd
        configuration.bpffs = bpffs.path
    }

    /// Starts an agent.
    func agent() throws -> Monitor { try Monitor(in: cable.right, configuration) }

    /// Waits until everything that left the other end has entered.
    func arrive() throws {
        let sent = try cable.left.counters(of: "eth0").sentPackets
        let isThrough = try eventually { try cable.right.counters(of: "eth0").receivedPackets == sent }
        try #require(isThrough)
    }

    /// Sends frames from the other end, waits until they have entered, and returns the IP bytes of a frame.
    @discardableResult
    func deliver(_ times: Int) throws -> Int {
        let size = try cable.send(times: times)
        try arrive()
        return size
    }

    /// Expects that each packet is in the records of one of two tables, whose accounts close, and that no pin is left.
    ///
    /// - Parameters:
    ///   - last: the agent that has read the old table to its end, and has ended.
    ///   - written: the traffic in the records of the previous agent.
    /// - Throws: the error of reading the interface's counters.
    func expectTwoTables(of last: Monitor, after written: Monitor.Traffic) throws {
        let accounts = last.accounts.filter { $0.name == "eth0" }
        #expect(accounts.count == 2)
        let isBalanced = accounts.allSatisfy { $0.isBalanced }
        #expect(isBalanced)
        let seen = accounts.reduce(UInt64(0)) { $0 + $1.ingress.skb.packets }
        #expect(seen == (try entered()))
        let ip = accounts.reduce(TrafficCounters.zero) { $0 + $1.ingress.seen.since($1.ingress.notIP) }
        #expect(ip == written.ingress + last.handedOn.ingress)
        #expect(bpffs.pins.isEmpty)
    }

    /// Changes the version of the pinned table, which has this version.
    func changeTableVersion(_ version: UInt32 = 5) throws {
        let own = "/v\(WEIR_ABI_VERSION)-"
        let pin = try #require(bpffs.pins.first { $0.hasSuffix("/agent") && $0.contains(own) })
        let agent = bpf_obj_get(pin)
        try #require(agent >= 0)
        defer { close(agent) }
        var (key, state) = (UInt32(0), weir_agent())
        try #require(bpf_map_lookup_elem(agent, &key, &state) == 0)
        state.version = version
        try #require(bpf_map_update_elem(agent, &key, &state, UInt64(BPF_ANY)) == 0)
        let folder = String(pin.dropLast("/agent".count))
        let other = folder.replacing(own, with: "/v\(version)-")
        try #require(other != folder && rename(folder, other) == 0)
    }

    /// Returns the interface's own count of received packets.
    func entered() throws -> UInt64 { try cable.right.counters(of: "eth0").receivedPackets }
}
