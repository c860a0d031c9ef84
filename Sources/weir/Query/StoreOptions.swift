import API
import Agent
import ArgumentParser
import Logging
import Export
import Server
import Store
import Web

/// Whether a run keeps its records in a store, and its limits.
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

    /// The routes of `/api/v1`: answers from the store, if there is one, and a live stream of new records.
    ///
    /// - Parameters:
    ///   - configuration: the configuration of the run, for its name and address; gets a tap of its inventory.
    ///   - feed: the records of the run.
    /// - Returns: the routes.
    /// - Throws: `CommandFailure` if the store cannot be read.
    func routes(_ configuration: inout AgentConfiguration, _ feed: LiveFeed) throws -> [any RouteProvider] {
        let isLoopbackOnly = configuration.server?.address?.isLoopback ?? true
        guard let store else { return [APIRoutes(nil, feed: feed, isLoopbackOnly: isLoopbackOnly)] }
        do {
            let reader = try StoreReader(path: store)
            let policies = RunPolicies()
            let tap = InventoryTap(observer: policies)
            configuration.inventoryTap = tap
            let api = API(reader, version: weirVersion, node: configuration.hostName, limits: .besideRun) {
                policies.known(tap)
            }
            let isOpen = !isLoopbackOnly && configuration.server?.tokenPath == nil
            return [APIRoutes(api, feed: feed, isLoopbackOnly: isLoopbackOnly, isOpen: isOpen), PageRoutes()]
        } catch {
            guard isGivenByHand else { return [APIRoutes(nil, feed: feed, isLoopbackOnly: isLoopbackOnly)] }
            throw CommandFailure(description: "--store \(store): \(error)")
        }
    }

    /// Whether the store was given on the command line, so that it must be usable.
    ///
    /// A store from the settings is a service's; the service still sends its records to outputs if the store fails.
    private var isGivenByHand: Bool {
        CommandLine.arguments.contains { $0 == "--store" || $0.hasPrefix("--store=") }
    }

    /// Opens the store for writing; nil if none is configured.
    ///
    /// - Throws: `CommandFailure` if a store given on the command line cannot be opened.
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
