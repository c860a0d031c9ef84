import Agent
import AsyncHTTPClient
import Export
import Foundation
import NIOCore
import Query
import Screen
import Synchronization

/// Sends statements to a ClickHouse server over HTTP.
final class ClickHouseClient: ClickHouseConnection {
    private let url: String
    private let headers: [(String, String)]
    private let timeout: Duration
    private let client: HTTPClient

    /// The maximum size of a response, bytes.
    private static let limit = 1 << 30

    /// Parses the name of a store.
    ///
    /// The form is `clickhouse:URL`, followed by output options after semicolons (`user`, `password-file`,
    /// `table`, `ca`, `cert`, `key`, `timeout`).
    ///
    /// - Throws: `CommandFailure` if the text is not such a name.
    static func store(_ text: String) throws -> ClickHouseStore {
        let output: OutputConfiguration
        do { output = try OutputConfiguration(parsing: text) } catch {
            throw CommandFailure(description: "--store: \(error)")
        }
        let options = output.options.http
        guard case .http(let destination) = output.specification, ClickHouseStore.isTable(options.table) else {
            throw CommandFailure(description: "--store \(text): table: letters, digits, '_' and a dot are needed")
        }
        return ClickHouseStore(try ClickHouseClient(destination, options), table: options.table)
    }

    private init(_ destination: HTTPDestination, _ options: HTTPOptions) throws {
        let base = destination.base(options)
        url = base.hasSuffix("/") ? base : base + "/"
        timeout = options.timeout
        do {
            headers = try options.credentials(for: destination.kind)
            client = try HTTPClient(destination, options)
        } catch {
            throw CommandFailure(description: "--store: \(ConnectionFault.text(error))")
        }
    }

    deinit {
        client.shutdown { _ in }
    }

    /// The rows of a statement's result.
    ///
    /// - Throws: `CommandFailure` if the server does not respond, or responds with an error.
    func rows(_ statement: String, _ take: ([String]) throws -> Bool) throws {
        let body = try answer(statement + " FORMAT JSONCompactStringsEachRow")
        let decoder = JSONDecoder()
        for line in body.split(separator: UInt8(ascii: "\n")) {
            guard let row = try? decoder.decode([String].self, from: Data(line)) else {
                let text = TerminalText.neutralized(String(decoding: line.prefix(200), as: UTF8.self))
                throw CommandFailure(description: "\(url): the answer is no list of rows: \(text)")
            }
            guard try take(row) else { return }
        }
    }

    private func answer(_ statement: String) throws -> [UInt8] {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        request.body = .bytes(ByteBuffer(string: statement))
        let (client, url, asked) = (client, url, request)
        let components = timeout.components
        let limit = TimeAmount.nanoseconds(components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000)
        let result = Waiting.run { () async -> Result<[UInt8], CommandFailure> in
            do {
                let response = try await client.execute(asked, timeout: limit)
                let body = Array(try await response.body.collect(upTo: Self.limit).readableBytesView)
                guard response.status == .ok else {
                    return .failure(
                        CommandFailure(description: "\(url): \(Self.reason(Int(response.status.code), body))")
                    )
                }
                return .success(body)
            } catch {
                return .failure(CommandFailure(description: "\(url): \(ConnectionFault.text(error))"))
            }
        }
        return try result.get()
    }

    /// The server's error message, on one line.
    private static func reason(_ status: Int, _ body: [UInt8]) -> String {
        let text = String(decoding: body.prefix(400), as: UTF8.self).split(separator: "\n").joined(separator: " ")
        return "the server refuses (\(status)): \(TerminalText.neutralized(text))"
    }
}
