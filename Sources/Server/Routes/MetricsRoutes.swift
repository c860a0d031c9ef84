package import Hummingbird
import Synchronization

/// A source of metrics.
package protocol MetricsSource: Sendable {
    /// Writes its families, each once; their names are no other source's. Called for each scrape, on a task of the
    /// server.
    func write(to writer: inout MetricsWriter)
}

/// Answers `/metrics`, in Prometheus text or OpenMetrics.
package final class MetricsRoutes: RouteProvider {
    private let sources: [any MetricsSource]
    /// The size of the last answer, in bytes: the next one is about as long.
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

    /// All current metrics.
    package func exposition(in format: ExpositionFormat) -> ByteBuffer {
        let expected = lastSize.load(ordering: .relaxed)
        var writer = MetricsWriter(format, expecting: expected + expected / 16)
        for source in sources { source.write(to: &writer) }
        let text = writer.finish { ByteBuffer(bytes: $0) }
        lastSize.store(text.readableBytes, ordering: .relaxed)
        return text
    }
}
