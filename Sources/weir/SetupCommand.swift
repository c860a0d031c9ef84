import Agent
import ArgumentParser
import Export

/// `weir setup`: creates the tables or templates that a server needs before records arrive.
struct SetupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "setup",
        abstract: "Make on a server what must exist there before records come.",
        discussion: """
            OUTPUT is what weir run --output gets: elasticsearch:URL, opensearch:URL or clickhouse:URL with its options. The \
            same as weir schema prints is made through the server's HTTP interface: a template with the types of all \
            fields and a policy of retention, or tables. Doing it again after an upgrade adds new fields, and changes \
            nothing else; with another --days the policy of Elasticsearch and OpenSearch follows, and the tables of \
            ClickHouse keep theirs.

            Examples:
              weir setup 'elasticsearch:https://search:9200;user=weir;password-file=/etc/weir/password'
              weir setup 'opensearch:https://search:9200;ca-file=/etc/weir/ca.pem' --days 30
              weir setup clickhouse:http://db:8123
            """
    )

    @Argument(help: "The server, as an output.")
    var output: String

    @Option(help: "How many days records are kept.")
    var days = IndexSchema.defaultRetention

    @Option(help: "Makes replicated tables on this cluster of ClickHouse, and one over all shards.")
    var cluster: String?

    func validate() throws {
        guard 1...36_500 ~= days else { throw ValidationError("--days \(days): a number from 1 to 36500 is needed") }
        guard cluster.map({ !$0.contains("'") && !$0.contains("\n") }) ?? true else {
            throw ValidationError("--cluster: names have no quotes")
        }
        do {
            guard case .http = try OutputConfiguration(parsing: output).specification else {
                throw ValidationError("\(output): elasticsearch:URL, opensearch:URL or clickhouse:URL is needed")
            }
        } catch let error as ValidationError {
            throw error
        } catch {
            throw ValidationError("\(error)")
        }
    }

    func run() throws {
        let configuration = try OutputConfiguration(parsing: output)
        guard case .http(let destination) = configuration.specification else { return }
        do throws(ServerSetup.Failure) {
            try ServerSetup(destination, configuration.options.http).run(days: days, cluster: cluster) {
                print("made \($0)")
            }
        } catch {
            throw CommandFailure(description: error.description)
        }
    }
}
