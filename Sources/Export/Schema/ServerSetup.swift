import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// Creates the objects that records need on a server, over its HTTP interface; idempotent.
package struct ServerSetup {
    /// The reason why an object could not be created.
    package struct Failure: Error, CustomStringConvertible {
        /// The request, the server's response, and the remedy.
        package let description: String
    }

    private struct Request {
        let method: HTTPMethod
        let path: String
        let body: String
    }

    private let destination: HTTPDestination
    private let options: HTTPOptions

    /// The maximum size of a response, in bytes.
    private static let answerLimit = 4 << 20

    /// Takes the server, in the form of an output.
    package init(_ destination: HTTPDestination, _ options: HTTPOptions) {
        self.destination = destination
        self.options = options
    }

    /// Creates all objects; waits for the server.
    ///
    /// - Parameters:
    ///   - days: the retention time of records in days.
    ///   - cluster: the ClickHouse cluster on which tables are created; nil for a single server.
    ///   - note: called for each object that exists then.
    /// - Throws: the first failure.
    package func run(days: Int, cluster: String?, note: (String) -> Void) throws(Failure) {
        let client: HTTPClient
        do {
            client = try HTTPClient(destination, options)
        } catch {
            throw Failure(description: "certificates and keys of TLS: \(error)")
        }
        defer { client.shutdown { _ in } }
        for request in try requests(days: days, cluster: cluster) {
            let path = try revised(request, client)
            _ = try ask(Request(method: request.method, path: path, body: request.body), client)
            // ClickHouse: the table was noted when it was created.
            if request.body.hasPrefix("ALTER ") { continue }
            note(request.method == .POST ? String(request.body.prefix { $0 != "\n" }) : request.path)
        }
    }

    private func requests(days: Int, cluster: String?) throws(Failure) -> [Request] {
        switch destination.kind {
        case .elasticsearch, .opensearch:
            let index = options.index ?? IndexSchema.defaultIndex
            return IndexSchema.requests(for: destination.kind, index: index, days: days).map { method, path, body in
                Request(method: HTTPMethod(rawValue: method), path: path, body: body)
            }
        case .clickhouse:
            return ColumnSchema.statements(table: options.table, days: days, cluster: cluster).map { statement in
                Request(
                    method: .POST,
                    path: "/",
                    body: String(statement.hasSuffix(";") ? statement.dropLast() : statement[...])
                )
            }
        case .lines, .loki, .splunk:
            throw Failure(description: "\(destination): nothing must exist there before records come")
        }
    }

    /// Adds the version that OpenSearch requires for replacing an existing policy.
    private func revised(_ request: Request, _ client: HTTPClient) throws(Failure) -> String {
        guard request.path.hasPrefix("/_plugins/_ism/") else { return request.path }
        struct Version: Decodable {
            let sequence: Int
            let term: Int

            enum CodingKeys: String, CodingKey {
                case sequence = "_seq_no"
                case term = "_primary_term"
            }
        }
        let known = try ask(Request(method: .GET, path: request.path, body: ""), client, mayBeMissing: true)
        guard let version = try? JSONDecoder().decode(Version.self, from: Data(known)) else { return request.path }
        return "\(request.path)?if_seq_no=\(version.sequence)&if_primary_term=\(version.term)"
    }

    /// Sends a request and returns the body of the response; empty if an optional object is missing.
    private func ask(_ request: Request, _ client: HTTPClient, mayBeMissing: Bool = false) throws(Failure) -> [UInt8] {
        let what = "\(request.method.rawValue) \(destination.url)\(request.path)"
        do {
            var headers = HTTPHeaders(try options.credentials(for: destination.kind))
            headers.add(name: "user-agent", value: "weir")
            if !request.body.isEmpty, request.method != .POST {
                headers.add(name: "content-type", value: "application/json")
            }
            let asked = try HTTPClient.Request(
                url: destination.base(options) + request.path,
                method: request.method,
                headers: headers,
                body: request.body.isEmpty ? nil : .string(request.body)
            )
            let limit = options.timeout.components.seconds
            let answer = try client.execute(
                request: asked,
                delegate: ResponseAccumulator(request: asked, maxBodySize: Self.answerLimit),
                deadline: .now() + .seconds(max(1, limit))
            )
            .wait()
            let body = answer.body.map { Array($0.readableBytesView) } ?? []
            if answer.status == .notFound, mayBeMissing { return [] }
            guard (200..<300).contains(Int(answer.status.code)) else {
                let excerpt = LinesDialect.excerpt(body)
                throw Failure(description: "\(what): the server answers \(answer.status.code) \(excerpt)")
            }
            return body
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(description: "\(what): \(ConnectionFault.text(error))")
        }
    }
}
