import Hummingbird

/// Handles probes: `/healthz` for the process, `/readyz` for all of its functions.
///
/// Both respond with 200 and `ok`, or with 503 and a line for each problem.
package struct HealthRoutes: RouteProvider {
    private let ailments: @Sendable () -> [String]
    private let missing: @Sendable () -> [String]

    /// Creates the routes.
    ///
    /// - Parameters:
    ///   - ailments: returns the faults that a restart would fix, one line each; called for each probe.
    ///   - missing: returns what is not available, one line each; called for each probe.
    package init(ailments: @escaping @Sendable () -> [String], missing: @escaping @Sendable () -> [String]) {
        self.ailments = ailments
        self.missing = missing
    }

    /// Adds `/healthz` and `/readyz`.
    package func addRoutes(to router: ServerRouter) {
        router.get("/healthz") { _, _ in Self.response(ailments()) }
        router.get("/readyz") { _, _ in Self.response(ailments() + missing()) }
    }

    private static func response(_ lines: [String]) -> Response {
        Response(
            status: lines.isEmpty ? .ok : .serviceUnavailable,
            headers: [.contentType: "text/plain; charset=utf-8", .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(string: lines.isEmpty ? "ok\n" : lines.joined(separator: "\n") + "\n"))
        )
    }
}
