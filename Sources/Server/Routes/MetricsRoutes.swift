package import Hummingbird
import Synchronization

/// A source of metrics.
package protocol MetricsSource: Sendable {
    /// Writes each family of the source once; called for each scrape, on a task of the server.
    ///
    /// No two sources may have a family with the same name.
    func write(to writer: inout MetricsWriter)
}

/// Serves `/metrics`, in Prometheus text or OpenMetrics.
package final class MetricsRoutes: RouteProvider {
    private let sources: [any MetricsSource]
    /// The size of the last response, in bytes; the next one has a similar size.
    private let lastSize = Atomic(0)

    /// Takes the sources.
    package init(_ sources: [any MetricsSource]) {
        self.sources = sources
    }

    /// Adds `/metrics`.
    package func addRoutes(to router: ServerRouter) {
        router.get("/metrics") { [self] request, _ in
            let format = ExpositionFormat(accept: request.headers[.accept])
            return Response(
                status: .ok,
                headers: [.contentType: format.contentType, .cacheControl: "no-store"],
                body: .init(byteBuffer: exposition(in: format))
            )
        }
    }

    /// Returns all current metrics.
    package func exposition(in format: ExpositionFormat) -> ByteBuffer {
        let expected = lastSize.load(ordering: .relaxed)
        var writer = MetricsWriter(format, expecting: expected + expected / 16)
        for source in sources { source.write(to: &writer) }
        let text = writer.finish { ByteBuffer(bytes: $0) }
        lastSize.store(text.readableBytes, ordering: .relaxed)
        return text
    }
}
