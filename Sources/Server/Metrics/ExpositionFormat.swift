/// The two text formats of metrics.
package enum ExpositionFormat: Sendable, Hashable {
    /// Prometheus text, version 0.0.4.
    case prometheus
    /// OpenMetrics text, version 1.0.0.
    case openMetrics

    /// The `Content-Type` of a response.
    package var contentType: String {
        switch self {
        case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// Chooses the format for the `Accept` field of a request (RFC 9110, section 12.5.1).
    ///
    /// OpenMetrics is chosen only if the field names it in a supported version, with a quality not below that of plain text.
    ///
    /// - Parameter accept: the value of the field; nil if there is none.
    package init(accept: String?) {
        var openMetrics = 0.0
        var prometheus = 0.0
        for range in (accept ?? "").prefix(4096).split(separator: ",").prefix(64) {
            let parts = range.split(separator: ";").map { $0.filter { !$0.isWhitespace }.lowercased() }
            guard let type = parts.first else { continue }
            var parameters: [String: String] = [:]
            for part in parts.dropFirst() {
                let pair = part.split(separator: "=", maxSplits: 1)
                if pair.count == 2 { parameters[String(pair[0])] = String(pair[1]) }
            }
            let quality = min(max(parameters["q"].flatMap(Double.init) ?? 1, 0), 1)
            switch type {
            case "application/openmetrics-text":
                if (parameters["version"] ?? "1.0.0") == "1.0.0" { openMetrics = max(openMetrics, quality) }
            case "text/plain", "text/*", "*/*": prometheus = max(prometheus, quality)
            default: continue
            }
        }
        self = openMetrics > 0 && openMetrics >= prometheus ? .openMetrics : .prometheus
    }
}
