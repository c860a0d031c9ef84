import Datapath
import FlowModel
import Foundation
import Hummingbird
import Server

/// Answers `/debug/account`, `/debug/interfaces`, `/debug/programs` and `/debug/config` with JSON, as of the last scan.
struct DebugRoutes: RouteProvider {
    let board: RunBoard
    let tally: RecordTally
    let settings: (@Sendable () -> String)?

    /// The account during a run.
    private struct LiveAccount: Encodable {
        /// Packets that the programs counted, and that are in no part of the account yet.
        var inFlightPackets: UInt64
        /// Packets that are in no part of the account; any value but 0 is a fault in Weir.
        var unaccountedPackets: UInt64
        var account: AccountReport

        enum CodingKeys: String, CodingKey {
            case account
            case inFlightPackets = "in_flight_packets"
            case unaccountedPackets = "unaccounted_packets"
        }
    }

    private struct Interface: Encodable {
        var name: String
        var ifindex: UInt32
        var role: String
        var ingressPackets: UInt64
        var egressPackets: UInt64

        enum CodingKeys: String, CodingKey {
            case name, ifindex, role
            case ingressPackets = "ingress_packets"
            case egressPackets = "egress_packets"
        }
    }

    func addRoutes(to router: ServerRouter) {
        router.get("/debug/account") { _, _ in try Self.response(account) }
        router.get("/debug/interfaces") { _, _ in try Self.response(interfaces) }
        router.get("/debug/programs") { _, _ in try Self.response(programs) }
        router.get("/debug/config") { _, _ in
            guard let settings else { throw HTTPError(.notFound) }
            return Self.response(Data(settings().utf8))
        }
    }

    private var account: LiveAccount {
        let reading = board.kernel.reading
        var account = AccountReport(reading.accounts, records: tally.account)
        account.balanced = reading.unaccounted == 0
        return LiveAccount(
            inFlightPackets: reading.inFlight,
            unaccountedPackets: reading.unaccounted,
            account: account
        )
    }

    private var interfaces: [Interface] {
        board.kernel.reading.watched.map { account in
            Interface(
                name: account.name,
                ifindex: account.index,
                role: account.role.name,
                ingressPackets: account.ingress.seen.packets,
                egressPackets: account.egress.seen.packets
            )
        }
    }

    private struct Program: Encodable {
        var name: String
        /// The number and the duration of runs while the kernel measured; 0 if it never did.
        var runs: UInt64
        var nanoseconds: UInt64
        var nanosecondsPerRun: Double

        enum CodingKeys: String, CodingKey {
            case name, runs, nanoseconds
            case nanosecondsPerRun = "nanoseconds_per_run"
        }
    }

    private struct Programs: Encodable {
        var hint: String
        var programs: [Program]
    }

    private var programs: Programs {
        let programs = board.kernel.programs.map { time in
            let mean = Double(time.nanoseconds) / Double(max(1, time.runs))
            let rounded = (mean * 10).rounded() / 10
            return Program(name: time.name, runs: time.runs, nanoseconds: time.nanoseconds, nanosecondsPerRun: rounded)
        }
        let isMeasured = programs.contains { $0.runs > 0 }
        let hint =
            "the kernel measures nothing: start with --program-time, or sysctl kernel.bpf_stats_enabled=1 for a while"
        return Programs(hint: isMeasured ? "" : hint, programs: programs)
    }

    private static func response(_ value: some Encodable) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return response(try encoder.encode(value) + Data("\n".utf8))
    }

    private static func response(_ json: Data) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(bytes: json))
        )
    }
}
