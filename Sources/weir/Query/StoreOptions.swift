import API
import Agent
import ArgumentParser
import Logging
import Export
import Server
import Store
import Web

/// Whether and how a run keeps its records in a store.
struct StoreOptions: ParsableArguments {
    @Option(help: .setting("store"))
    var store: String?

    @Option(help: .setting("store-limit"))
    var storeLimit = SizeArgument(bytes: StoreLimits().bytes)

    @Option(help: .setting("store-age", showsDefault: true), transform: TimeArgument.init(parsing:))
    var storeAge = TimeArgument(seconds: StoreLimits().recordAge)

    func validate() throws {
        guard store != "" else {
            throw ValidationError("--store: the path is empty; leave the option out for no store")
        }
        guard storeLimit.bytes >= 16 << 20 else {
            throw ValidationError("--store-limit \(storeLimit): 16M or more is needed")
        }
        guard storeAge.duration >= .seconds(3600) else {
            throw ValidationError("--store-age \(storeAge): 1h or more is needed")
        }
    }

    /// Who answers requests of `/api/v1`: from the store, if there is one, and with new records.
    ///
    /// - Parameters:
    ///   - configuration: of the run, for its name and address.
    ///   - feed: has the records of the run.
    /// - Returns: routes.
    /// - Throws: `CommandFailure` if the store cannot be read.
    func routes(_ configuration: AgentConfiguration, _ feed: LiveFeed) throws -> [any RouteProvider] {
        let isLoopbackOnly = configuration.server?.address?.isLoopback ?? true
        guard let store else { return [APIRoutes(nil, feed: feed, isLoopbackOnly: isLoopbackOnly)] }
        do {
            let api = API(try StoreReader(path: store), version: weirVersion, node: configuration.hostName)
            let isOpen = !isLoopbackOnly && configuration.server?.tokenPath == nil
            return [APIRoutes(api, feed: feed, isLoopbackOnly: isLoopbackOnly, isOpen: isOpen), PageRoutes()]
        } catch {
            guard isGivenByHand else { return [APIRoutes(nil, feed: feed, isLoopbackOnly: isLoopbackOnly)] }
            throw CommandFailure(description: "--store \(store): \(error)")
        }
    }

    /// Whether somebody asked for the store, so that there must be one; that of the settings is a service's, which has
    /// records to write whether or not they can be stored, too.
    private var isGivenByHand: Bool {
        CommandLine.arguments.contains { $0 == "--store" || $0.hasPrefix("--store=") }
    }

    /// What writes the store; nil if there is to be none.
    ///
    /// - Throws: `CommandFailure` if the store cannot be opened and was asked for on the command line.
    func open(_ logger: Logger) throws -> StoreTap.Opened? {
        guard let store else { return nil }
        var limits = StoreLimits()
        limits.bytes = storeLimit.bytes
        limits.recordAge = storeAge.duration.components.seconds
        do {
            return try StoreTap.make(store, limits: limits, logger: logger)
        } catch  where !isGivenByHand {
            logger.error("nothing is stored; records go to the outputs: \(error)", metadata: ["store": "\(store)"])
            return nil
        }
    }
}
