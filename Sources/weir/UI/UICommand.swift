import API
import Agent
import ArgumentParser
import Foundation
import Logging
import Server
import Web

/// `weir ui`: serves the web page and its API from recorded flows.
struct UICommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ui",
        abstract: "Serve the web page and the HTTP API over recorded flows.",
        discussion: """
            Reads the store that weir run --store writes, also while it is being written, or the records of a file. The API \
            is described in docs/api.md. On an address beyond this host a token is needed: --token-file.

            With an inventory a denied connection is explained rule by rule, policies and rules that decide nothing are \
            marked, and a change of policies can be tried on what was recorded. It is read once, at the start.

            Exit codes: 0 ended by a signal, 1 the store or the address cannot be used, 2 wrong usage.

            Examples:
              weir ui                                        http://127.0.0.1:8080/
              weir ui --store /var/lib/weir/flows.db --listen 127.0.0.1:9000
              weir ui --from flows.log --inventory cluster.yaml
              curl -s 'http://127.0.0.1:8080/api/v1/query?group_by=source,dest&sum=bytes&since=1h'
            """
    )

    @Option(
        help: ArgumentHelp(
            "Where to listen; port 0 is one that the system chooses.",
            valueName: "address:port"
        ),
        transform: { text in
            do { return try ListenAddress(parsing: text) } catch { throw ValidationError("\(error)") }
        }
    )
    var listen = ListenAddress(host: "127.0.0.1", port: 8080)

    @Option(
        help: ArgumentHelp(
            "A file with the token that requests need (Authorization: Bearer).",
            valueName: "path"
        )
    )
    var tokenFile: String?

    @OptionGroup(title: "Where records are")
    var source: RecordSourceOptions

    @OptionGroup(title: "Which policies")
    var inventory: InventoryOptions

    func validate() throws {
        guard listen.isLoopback || tokenFile != nil else {
            throw ValidationError(
                "--listen \(listen): others can reach this address; give --token-file PATH"
            )
        }
    }

    func run() throws {
        let records = try source.open()
        let logger = Logger.toStandardError(.notice)
        let stop = StopSource()
        let signals = StopSignals(stop, hangUp: .ends, logger: nil)
        defer { withExtendedLifetime(signals) {} }
        var configuration = HTTPServerConfiguration()
        configuration.address = listen
        configuration.isAddressRequired = true
        configuration.tokenPath = tokenFile
        guard let reader = records.reader else {
            throw CommandFailure(description: "--store: the page needs a store of this host, or --from FILE")
        }
        let policies = try inventory.isEmpty ? KnownPolicies() : policies()
        let api = API(reader, version: weirVersion, node: AgentConfiguration.defaultHostName) { policies }
        let now = source.from == nil ? nil : try records.now()
        let server: HTTPServer
        do throws(ServerError) {
            server = try WebServer.start(
                configuration,
                routes: [APIRoutes(api, isLoopbackOnly: listen.isLoopback, now: now), PageRoutes()],
                logger: logger
            )
        } catch {
            throw CommandFailure(description: "\(error)")
        }
        print(
            "http://\(ListenAddress(host: listen.host, port: UInt16(server.port ?? Int(listen.port))))/"
        )
        fflush(nil)
        _ = stop.wait(milliseconds: -1)
        server.stop()
        withExtendedLifetime(records) {}
    }

    private func policies() throws -> KnownPolicies {
        let loader = try InventoryLoader(inventory, limit: .seconds(30), purpose: "ui")
        let sources = PolicySources(loader, format: .enterprise)
        try sources.load()
        return KnownPolicies(rules: InventoryRules(sources), previews: InventoryPreview(sources))
    }
}
