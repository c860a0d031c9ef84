public import Hummingbird

/// A source of metrics.
public protocol MetricsSource: Sendable {
    /// Writes its families, each once; their names are no other source's. Called for each scrape, on a task of the
    /// server.
    func write(to writer: inout MetricsWriter)
}

/// Answers `/metrics`, in Prometheus text or OpenMetrics.
public struct MetricsRoutes: RouteProvider {
    private let sources: [any MetricsSource]

    /// Takes the sources.
    public init(_ sources: [any MetricsSource]) {
        self.sources = sources
    }

    /// Adds `/metrics`.
    public func addRoutes(to router: ServerRouter) {
        router.get("/metrics") { request, _ in
            let format = ExpositionFormat(accept: request.headers[.accept])
            return Response(
                status: .ok,
                headers: [.contentType: format.contentType, .cacheControl: "no-store"],
                body: .init(byteBuffer: exposition(in: format))
            )
        }
    }

    /// All current metrics.
    public func exposition(in format: ExpositionFormat) -> ByteBuffer {
        var writer = MetricsWriter(format)
        for source in sources { source.write(to: &writer) }
        return writer.finish { ByteBuffer(bytes: $0) }
    }
}
