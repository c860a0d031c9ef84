import Dispatch
package import Logging
package import Server
import Synchronization

/// Runs a server for the page and the API in a command that has no other task.
package enum WebServer {
    /// Starts the server; blocks the calling thread, which must not be in Swift's thread pool, until it listens.
    ///
    /// - Parameters:
    ///   - configuration: the addresses and options.
    ///   - routes: the routes.
    ///   - logger: receives log messages.
    /// - Returns: the server.
    /// - Throws: the reason why it cannot listen.
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
