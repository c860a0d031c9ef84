import Datapath
import Metrics
import Server

extension Agent {
    /// Metrics of libraries, for the whole process: swift-metrics takes one backend once.
    static let libraryMetrics: MetricsRegistry = {
        let registry = MetricsRegistry()
        MetricsSystem.bootstrap(registry)
        return registry
    }()

    /// Starts the HTTP server, if one is configured.
    ///
    /// - Returns: nil if none is configured.
    /// - Throws: ``AgentError/server(_:)`` when it cannot listen.
    func startServer(_ parts: RunParts) throws(AgentError) -> HTTPServer? {
        guard let server = configuration.server else { return nil }
        let health = parts.health
        let routes: [any RouteProvider] = [
            HealthRoutes(ailments: { health.ailments }, missing: { health.missing }),
            MetricsRoutes(metrics(of: parts)),
            DebugRoutes(board: parts.board, tally: parts.tally, settings: configuration.settings),
            status(of: parts),
        ]
        let result = Waiting.run { [configuration, logger] () async -> Result<HTTPServer, ServerError> in
            do throws(ServerError) {
                return .success(try await HTTPServer(server, routes: routes + configuration.routes, logger: logger))
            } catch {
                return .failure(error)
            }
        }
        do throws(ServerError) {
            return try result.get()
        } catch {
            throw .server(error)
        }
    }

    private func metrics(of parts: RunParts) -> [any MetricsSource] {
        let own: [any MetricsSource] = [
            KernelMetrics(board: parts.board), ProgramMetrics(board: parts.board), FlowMetrics(board: parts.board),
            RecordMetrics(
                board: parts.board,
                tally: parts.tally,
                losses: parts.losses,
                outputs: parts.outputs,
                tracker: parts.tracker
            ),
            InventoryMetrics(board: parts.board, inventory: parts.inventory, sources: parts.sources),
        ]
        return own + configuration.metrics + [ProcessMetrics(version: configuration.version), Self.libraryMetrics]
    }

    private func status(of parts: RunParts) -> StatusRoutes {
        StatusRoutes(
            configuration: configuration,
            intervals: parts.intervals,
            board: parts.board,
            health: parts.health,
            meter: parts.meter,
            losses: parts.losses,
            outputs: parts.outputs,
            inventory: parts.inventory,
            sources: parts.sources,
            hasTracker: parts.tracker != nil
        )
    }

    /// Counts removals of Weir's programs by others, besides logging them.
    func countReattachments(of datapath: Datapath, on board: RunBoard) {
        let log = datapath.onNotice
        datapath.onNotice = { notice in
            if case .reattached = notice { board.noteKernel { $0.reattachments += 1 } }
            log(notice)
        }
    }
}
