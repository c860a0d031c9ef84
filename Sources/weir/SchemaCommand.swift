import API
import ArgumentParser
public import Export

/// `weir schema`: prints the tables or templates that a server needs before records arrive.
struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Print what must exist on a server before records go there, or Weir's own API.",
        discussion: """
            elasticsearch, opensearch: a template with the types of all fields and a policy of retention, as the servers' \
            consoles take them, or with --curl as commands of a shell. clickhouse: the statements that make the table and \
            its roll-up by minutes, and add the fields that a table of an earlier version lacks. Everything may be run \
            again. openapi: the OpenAPI document of Weir's own /api/v1.

            Examples:
              weir schema clickhouse | clickhouse-client --multiquery
              weir schema elasticsearch --curl https://search:9200 | sh
              weir schema elasticsearch --content audit
              weir schema opensearch --index 'tigera_secure_ee_flows.cluster.{date}' --days 30
            """
    )

    /// Servers that need a schema, and Weir itself (`openapi`).
    enum Server: String, ExpressibleByArgument, CaseIterable {
        case elasticsearch
        case opensearch
        case clickhouse
        case openapi
    }

    @Argument(help: "elasticsearch, opensearch, clickhouse or openapi.")
    var server: Server

    @Option(help: "flows or audit: what is kept there, flow records or audit events.")
    var content = SchemaContent.flows

    @Option(help: "How many days it is kept. Default: 8 for flow records, 91 for audit events.")
    var days: Int?

    @Option(help: "The data stream, or the pattern of dated indices with {date}, as the output's option index.")
    var index: String?

    @Option(help: "The table of ClickHouse, as the output's option table. Default: default.flows, default.audit.")
    var table: String?

    @Option(help: "Makes replicated tables on this cluster of ClickHouse, and one over all shards.")
    var cluster: String?

    @Option(help: ArgumentHelp("Prints commands that send the requests to this URL.", valueName: "url"))
    var curl: String?

    func validate() throws {
        guard 1...36_500 ~= days ?? 1 else {
            throw ValidationError("--days \(days ?? 0): a number from 1 to 36500 is needed")
        }
        let names = [index, table, cluster].compactMap { $0 } + [curl ?? ""]
        guard names.allSatisfy({ !$0.contains("'") && !$0.contains("\"") && !$0.contains("\n") }) else {
            throw ValidationError("names have no quotes")
        }
    }

    func run() throws {
        if server == .openapi {
            return printJSON(String(decoding: OpenAPI.document(version: weirVersion), as: UTF8.self), terminator: "")
        }
        if server == .clickhouse {
            let (table, days) = (table ?? content.table, days ?? content.retention)
            let statements =
                content == .flows
                ? ColumnSchema.statements(table: table, days: days, cluster: cluster)
                : ColumnSchema.auditStatements(table: table, days: days, cluster: cluster)
            print(statements.joined(separator: "\n\n"))
            return
        }
        let kind: HTTPDestination.Kind = server == .opensearch ? .opensearch : .elasticsearch
        let requests = IndexSchema.requests(for: kind, content: content, index: index, days: days)
        for (method, path, body) in requests {
            if let curl {
                print(
                    "curl -fsS -X \(method) '\(curl)\(path)' -H 'content-type: application/json' --data-binary @- <<'END'\n"
                        + "\(body)\nEND"
                )
            } else {
                print("\(method) \(path)\n\(body)\n")
            }
        }
    }
}

extension SchemaContent: ExpressibleByArgument {}
