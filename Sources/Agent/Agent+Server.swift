import Datapath
import Metrics
import Server

extension Agent {
    /// What libraries count, for the whole process: swift-metrics takes one backend once.
    static let libraryMetrics: MetricsRegistry = {
        let registry = MetricsRegistry()
        MetricsSystem.bootstrap(registry)
        return registry
    }()

    /// Begins to answer HTTP requests, if that is wanted.
    func startServer(
        _ health: RunHealth,
        _ status: StatusRoutes,
        _ debug: DebugRoutes,
        _ sources: [any MetricsSource]
    ) throws(AgentError) -> HTTPServer? {
        guard let server = configuration.server else { return nil }
        let process = ProcessMetrics(version: configuration.version)
        let routes: [any RouteProvider] = [
            HealthRoutes(ailments: { health.ailments }, missing: { health.missing }),
            MetricsRoutes(sources + [process, Self.libraryMetrics]), debug, status,
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

    /// Counts what other programs remove, besides logging it.
    func countReattachments(of datapath: Datapath, on board: RunBoard) {
        let log = datapath.onNotice
        datapath.onNotice = { notice in
            if case .reattached = notice { board.noteKernel { $0.reattachments += 1 } }
            log(notice)
        }
    }
}
