import Datapath
import FlowModel
import Foundation
import Hummingbird
import Server

/// Answers `/debug/account`, `/debug/interfaces` and `/debug/config` with JSON, as of the last scan.
struct DebugRoutes: RouteProvider {
    let board: RunBoard
    let tally: RecordTally
    let settings: (@Sendable () -> String)?

    /// The account while it grows.
    private struct LiveAccount: Encodable {
        /// Counted by the programs, and in no part of the account yet.
        var inFlightPackets: UInt64
        /// In no part of the account for no reason: 0, or Weir is wrong.
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
