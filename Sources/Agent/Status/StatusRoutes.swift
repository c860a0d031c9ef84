import Datapath
import Export
import FlowModel
import Foundation
import Hummingbird
import Policy
import Server

/// Answers `/debug/status` with the facts that an operator needs first.
struct StatusRoutes: RouteProvider {
    let configuration: AgentConfiguration
    let intervals: LiveIntervals
    let board: RunBoard
    let health: RunHealth
    let meter: RateMeter
    let losses: LossWatch
    let outputs: LiveOutputs
    let inventory: InventoryKeeper
    let sources: InventorySources
    let hasTracker: Bool

    /// The number of interface names that are listed.
    private static let nameLimit = 8

    func addRoutes(to router: ServerRouter) {
        router.get("/debug/status") { _, _ in
            let encoder = JSONEncoder()
            encoder.keyEncodingStrategy = .convertToSnakeCase
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return Response(
                status: .ok,
                headers: [.contentType: "application/json", .cacheControl: "no-store"],
                body: .init(byteBuffer: ByteBuffer(bytes: try encoder.encode(status) + Data("\n".utf8)))
            )
        }
    }

    private var status: AgentStatus {
        let kernel = board.kernel
        let records = board.records
        return AgentStatus(
            version: configuration.version,
            node: configuration.hostName,
            uptime: Double(Clock.monotonic - board.startedAt) / 1e9,
            memory: ProcessMemory.resident ?? 0,
            interval: Double(intervals.flush.nanoseconds) / 1e9,
            ailments: health.ailments,
            missing: health.missing,
            watched: watched(kernel),
            rates: meter.rates,
            account: Self.account(kernel.reading),
            flows: .init(
                table: kernel.reading.liveFlows,
                slots: kernel.reading.slots,
                overflow: kernel.reading.overflowFlows
            ),
            records: records.records,
            outputs: outputs.standings.map(Self.output),
            losses: lossesSoFar,
            inventory: knowledge,
            findings: Dictionary(uniqueKeysWithValues: board.findings.map { ($0.key.rawValue, $0.value) }),
            firstFindings: board.firstFindings,
            disagreements: (records.statistics?.unexpectedDenials ?? 0)
                + (records.statistics?.unexpectedAllowances ?? 0)
        )
    }

    private func watched(_ kernel: RunBoard.Kernel) -> AgentStatus.Watched {
        let others = kernel.reading.watched.filter { $0.role == .host }
        return .init(
            workload: kernel.reading.watched.count - others.count,
            host: others.count,
            names: others.prefix(Self.nameLimit).map(\.name),
            seesDrops: kernel.countsDrops,
            seesTranslation: hasTracker
        )
    }

    private static func account(_ reading: DatapathReading) -> AgentStatus.Account {
        let sum = RateMeter.sum(reading)
        return .init(
            isBalanced: reading.unaccounted == 0,
            seen: sum.seen.packets,
            remainder: sum.remainder.packets,
            gap: sum.gap.packets,
            denied: sum.denied.seen.packets
        )
    }

    private static func output(_ output: LiveOutputs.Standing) -> AgentStatus.Output {
        let statistics = output.statistics
        return .init(
            name: output.name,
            isOpen: !output.isClosed,
            delivered: statistics.delivered,
            queued: statistics.queued,
            dropped: statistics.dropped,
            reconnects: statistics.reconnects
        )
    }

    private var lossesSoFar: [AgentStatus.Loss] {
        let reading = losses.reading
        return LossCounter.all.compactMap { counter in
            let total = counter.values(in: reading).reduce(0) { $0 &+ $1.total }
            guard total > 0 else { return nil }
            return .init(
                name: counter.name,
                total: total,
                unit: counter.unit,
                isMissing: counter.isMissing,
                message: counter.message,
                advice: counter.advice
            )
        }
    }

    private var knowledge: AgentStatus.Inventory {
        let statistics = inventory.statistics
        let cluster = sources.clusterStatistics
        let objects = statistics.objects.keys.map { ($0.rawValue, statistics.count($0)) }
        return .init(
            objects: Dictionary(objects, uniquingKeysWith: +),
            addresses: statistics.addresses,
            hasCluster: cluster != nil,
            unreachableSeconds: cluster?.unreachableSince.map { Double($0.duration(to: .now).nanoseconds) / 1e9 },
            forbiddenKinds: (cluster?.kinds ?? [:]).filter { $0.value.isForbidden }.keys.map(\.rawValue).sorted(),
            brokenFiles: sources.fileStatistics?.brokenFiles ?? 0
        )
    }
}

extension RateMeter {
    /// Returns the sum of both directions of all interfaces, including removed ones.
    static func sum(_ reading: DatapathReading) -> DirectionAccount {
        var sum = DirectionAccount()
        for account in reading.watched + [reading.gone] {
            sum += account.ingress
            sum += account.egress
        }
        return sum
    }

    /// Adds a sample of the board's counters.
    func look(_ board: RunBoard) {
        let sum = Self.sum(board.kernel.reading)
        add(
            Sample(
                time: Clock.monotonic,
                packets: sum.seen.packets,
                bytes: sum.seen.bytes,
                denied: sum.denied.seen.packets,
                records: board.records.records
            )
        )
    }
}
