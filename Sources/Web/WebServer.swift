import Dispatch
package import Logging
package import Server
import Synchronization

/// Serves the page and the API by themselves, for a command that does nothing else.
package enum WebServer {
    /// Begins to listen, and returns when it does; blocks the calling thread, which may not be one of Swift's pool.
    ///
    /// - Parameters:
    ///   - configuration: where and how.
    ///   - routes: who answers what.
    ///   - logger: gets what happens.
    /// - Returns: the server.
    /// - Throws: why it cannot listen.
    package static func start(
        _ configuration: HTTPServerConfiguration,
        routes: [any RouteProvider],
        logger: Logger
    ) throws(ServerError) -> HTTPServer {
        let result = Mutex<Result<HTTPServer, ServerError>?>(nil)
        let isThere = DispatchSemaphore(value: 0)
        Task.detached {
            do throws(ServerError) {
                let server = try await HTTPServer(configuration, routes: routes, logger: logger)
                result.withLock { $0 = .success(server) }
            } catch {
                result.withLock { $0 = .failure(error) }
            }
            isThere.signal()
        }
        isThere.wait()
        guard let made = result.withLock({ $0 }) else { preconditionFailure("a result for each signal") }
        return try made.get()
    }
}
