import CWeir
import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

extension KernelTests {
    /// Steps that a killed agent had begun, as agents of other versions find them.
    @Suite("Interrupted steps")
    struct InterruptedStepTests {
        @Test("a table that remains after its records are written is not read again by any version")
        func drainedTableIsNotReadAgain() throws {
            let scene = try RestartScene()
            let first = try scene.agent()
            try scene.deliver(10)
            try first.scanAndCommit()
            try scene.deliver(500)
            try first.die()
            try scene.changeTableVersion(5)
            let second = try scene.agent()
            try second.scanAndDieAfterCommit()
            try #require(scene.bpffs.pins.contains { $0.contains("/v5-") })
            try scene.deliver(7)
            // Neither table has the version of the next agent, as after a downgrade.
            try scene.changeTableVersion(7)
            let last = try scene.agent()
            #expect(!scene.bpffs.pins.contains { $0.contains("/v5-") })
            try last.scanAndCommit()
            #expect(!scene.bpffs.pins.contains { $0.contains("/v7-") })
            try last.stop()
            let packets = [first, second, last].reduce(0) { $0 + $1.handedOn.ingress.packets }
            let entered = try scene.entered()
            #expect(packets >= 517 && packets <= entered)
            #expect(scene.bpffs.pins.isEmpty)
        }

        /// The agent is killed between the two stores that begin and end the step; the work between them may be done or not.
        @Test("an interface that was being released is reported once", arguments: [false, true])
        func reportsReleasedInterfaceOnce(isAdded: Bool) throws {
            var scene = try RestartScene()
            scene.configuration.interfaces = InterfaceSelection(include: ["eth0", "gone0"])
            try scene.addPair("gone0", "gone1")
            let first = try scene.agent()
            try scene.send(to: "gone0", times: 5, first)
            try first.scanAndCommit()
            let written = first.handedOn.ingress
            try scene.send(to: "gone0", times: 7, first)
            let maps = try PinnedMaps(scene.bpffs)
            let position = try maps.position(of: scene.cable.right.index(of: "gone0"))
            let before = try maps.elements(of: position)
            let gone = try maps.elements(of: PinnedMaps.gone)
            try scene.cable.right.ip("link del gone0")
            let isReleased = try eventually {
                try first.follow()
                try first.scan()
                return first.detached == ["gone0"]
            }
            try #require(isReleased)
            try first.die()
            maps.restore(before)
            if !isAdded { maps.restore(gone) }
            try maps.beginRelease(of: position)
            try scene.changeTableVersion(5)
            let second = try scene.agent()
            try second.scanAndCommit()
            try second.stop()
            let released = try first.account(of: "gone0")
            let accounts = second.accounts.filter { $0.name == "eth0" } + [released]
            let ip = accounts.reduce(TrafficCounters.zero) { $0 + $1.ingress.seen.since($1.ingress.notIP) }
            #expect(released.ingress.seen.packets >= 12)
            #expect(written + second.handedOn.ingress == ip)
            #expect(scene.bpffs.pins.isEmpty)
        }

        @Test("an interface with the index of a removed one is a new interface", arguments: [false, true])
        func reusedIndexIsNewInterface(diesAgain: Bool) throws {
            let scene = try RestartScene()
            try scene.addPair("gone0 index 4000", "gone1 index 4001")
            let first = try scene.agent()
            try scene.send(to: "gone0", times: 5, first)
            try first.scanAndCommit()
            let written = first.handedOn.ingress
            try scene.send(to: "gone0", times: 7, first)
            try first.die()
            try scene.cable.right.ip("link del gone0")
            try scene.addPair("new0 index 4000", "new1 index 4001")
            if diesAgain { try scene.agent().die() }
            let last = try scene.agent()
            try scene.send(to: "new0", times: 9, last)
            try last.stop()
            #expect(try last.account(of: "new0").ingress.seen.packets >= 9)
            #expect(try last.account(of: "gone0").ingress.seen.packets >= 12)
            let isBalanced = last.accounts.allSatisfy { $0.isBalanced }
            #expect(isBalanced)
            let ip = last.accounts.reduce(TrafficCounters.zero) { $0 + $1.ingress.seen.since($1.ingress.notIP) }
            #expect(written + last.handedOn.ingress == ip)
            #expect(scene.bpffs.pins.isEmpty)
        }
    }
}

extension Monitor {
    /// Reads all counts, and is killed when its records are written and the previous table still exists.
    fileprivate func scanAndDieAfterCommit() throws {
        try perform { datapath in
            while datapath.drainOverflow() {}
            let epoch = try #require(try datapath.scan(closesEpoch: true) { self.take($0) })
            var commit = weir_commit()
            (commit.epoch, commit.monotonic, commit.boot, commit.wall) = (epoch, 1, 2, 3)
            datapath.programs.maps.reported?.commit(commit)
        }
        try die()
    }
}

extension RestartScene {
    /// Makes a pair of interfaces beside eth0.
    fileprivate func addPair(_ near: String, _ far: String) throws {
        try cable.right.ip("link add \(near) type veth peer name \(far)")
        for name in [near, far] { try cable.right.ip("link set \(name.prefix { $0 != " " }) up") }
    }

    /// Sends packets into an interface from the other end of its pair, and waits until an agent has read them.
    fileprivate func send(to name: String, times: UInt64, _ agent: Monitor) throws {
        let packet = Packet.udp(
            from: try LabAddress("10.2.0.1"),
            port: 1,
            to: try LabAddress("10.2.0.2"),
            port: 2,
            payload: [1]
        )
        try agent.scan()
        let before = try agent.account(of: name).ingress.seen.packets
        let peer = "\(name.dropLast())1"
        try FrameSender(peer, in: cable.right).send(Packet.ethernet(payload: packet), times: Int(times))
        let isThrough = try eventually {
            try agent.scan()
            return try agent.account(of: name).ingress.seen.packets >= before + times
        }
        try #require(isThrough)
    }
}

/// The maps of one table, put into states that an agent leaves only if it is killed between two instructions.
private final class PinnedMaps {
    /// The index of removed interfaces in "interface_reported".
    static let gone = Int(WEIR_REPORTED_GONE)

    /// Elements of maps by index.
    typealias Elements = [(map: String, index: Int, value: DescribedValue)]

    private let folder: String
    private let cpus = Int(max(1, weir_possible_cpus()))

    init(_ bpffs: BPFFileSystem) throws {
        let pin = try #require(bpffs.pins.first { $0.hasSuffix("/agent") })
        folder = String(pin.dropLast("/agent".count))
    }

    private func value(_ map: String, at index: Int) throws -> DescribedValue {
        let value = DescribedMap("\(folder)/\(map)")?[index]
        return try #require(value)
    }

    private func store(_ value: DescribedValue, in map: String, at index: Int) {
        DescribedMap("\(folder)/\(map)")?.store(value, at: index)
    }

    /// The position of an interface.
    func position(of index: UInt32) throws -> Int {
        let offset = try #require(MemoryLayout<weir_account>.offset(of: \.ifindex))
        for position in 0..<Int(WEIR_MAX_INTERFACES)
        where try value("accounts", at: position * cpus * 2).word(offset) == index { return position }
        throw DatapathError.system(operation: "find the interface \(index)", errno: ENOENT, advice: "")
    }

    /// The elements of the maps for a position.
    func elements(of position: Int) throws -> Elements {
        let accounts = (position * cpus * 2..<(position + 1) * cpus * 2).map { ("accounts", $0) }
        let all = position == Self.gone ? [] : accounts + [("interfaces", position)]
        return try (all + [("interface_reported", position)]).map { ($0, $1, try value($0, at: $1)) }
    }

    func restore(_ elements: Elements) {
        for (map, index, value) in elements { store(value, in: map, at: index) }
    }

    /// Marks the last release that the agent completed as only begun.
    func beginRelease(of position: Int) throws {
        let loaded = try value("agent", at: 0).load(weir_agent.self)
        var state = try #require(loaded)
        try #require(state.redo.phase == 0 && state.redo.subject == UInt32(position))
        try #require(state.redo.position == UInt32(WEIR_REPORTED_GONE))
        state.redo.phase = WEIR_REDO_RELEASE.rawValue
        store(DescribedValue(of: state), in: "agent", at: 0)
    }
}
