import CoreMetrics
import Foundation
import Hummingbird
import Testing

@testable import Server

@Suite struct MetricsTests {
    private struct Sample: MetricsSource {
        func write(to writer: inout MetricsWriter) {
            writer.family("weir_test_packets", .counter, "Packets with \"quotes\", a \\ and a\nline.")
            writer.sample(
                MetricLabels(["interface": "eth0"]),
                MetricLabels(["direction": "ingress"]),
                18_446_744_073_709_551_615
            )
            writer.sample(MetricLabels(["interface": "a\"b\\c\nd\u{1}"]), MetricLabels(["direction": "egress"]), 0)
            writer.family("weir_test_share_ratio", .gauge, "A ratio.")
            writer.sample(.none, 0.25)
            writer.family("weir_test_build", .info, "What this is.")
            writer.sample(MetricLabels(["version": "1"]), UInt64(1))
            var histogram = MetricHistogram(bounds: [0.5, 1])
            for value in [0.5, 0.75, 2] { histogram.record(value) }
            writer.family("weir_test_duration_seconds", .histogram, "Durations.")
            writer.sample(MetricLabels(["stage": "scan"]), histogram)
        }
    }

    private static func text(_ format: ExpositionFormat, _ sources: [any MetricsSource] = [Sample()]) -> String {
        String(buffer: MetricsRoutes(sources).exposition(in: format))
    }

    @Test func writesPrometheusText() {
        #expect(
            Self.text(.prometheus) == #"""
                # HELP weir_test_packets_total Packets with "quotes", a \\ and a\nline.
                # TYPE weir_test_packets_total counter
                weir_test_packets_total{interface="eth0",direction="ingress"} 18446744073709551615
                weir_test_packets_total{interface="a\"b\\c\nd?",direction="egress"} 0
                # HELP weir_test_share_ratio A ratio.
                # TYPE weir_test_share_ratio gauge
                weir_test_share_ratio{} 0.25
                # HELP weir_test_build_info What this is.
                # TYPE weir_test_build_info gauge
                weir_test_build_info{version="1"} 1
                # HELP weir_test_duration_seconds Durations.
                # TYPE weir_test_duration_seconds histogram
                weir_test_duration_seconds_bucket{stage="scan",le="0.5"} 1
                weir_test_duration_seconds_bucket{stage="scan",le="1.0"} 2
                weir_test_duration_seconds_bucket{stage="scan",le="+Inf"} 3
                weir_test_duration_seconds_sum{stage="scan"} 3.25
                weir_test_duration_seconds_count{stage="scan"} 3

                """#
        )
    }

    @Test func writesOpenMetrics() {
        let text = Self.text(.openMetrics)
        #expect(text.hasPrefix(#"# HELP weir_test_packets Packets with \"quotes\", a \\ and a\nline."# + "\n"))
        #expect(text.contains("# TYPE weir_test_packets counter\nweir_test_packets_total{"))
        #expect(text.contains("# TYPE weir_test_build info\nweir_test_build_info{"))
        #expect(text.hasSuffix("# EOF\n"))
    }

    @Test(arguments: [
        (nil, ExpositionFormat.prometheus), ("", .prometheus), ("*/*", .prometheus), ("text/plain", .prometheus),
        ("application/openmetrics-text; version=1.0.0", .openMetrics), ("application/openmetrics-text", .openMetrics),
        ("application/openmetrics-text;version=0.0.1", .prometheus),
        ("application/openmetrics-text;version=1.0.0;q=0.1,text/plain;q=0.9", .prometheus),
        ("application/openmetrics-text;version=1.0.0;q=0,*/*", .prometheus),
        // Prometheus 2 and 3 send this header.
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                + "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            .openMetrics
        ),
        ("application/openmetrics-text;q=nan, text/plain;q=-1;;=,;", .prometheus),
    ])
    func negotiatesFormat(_ accept: String?, _ format: ExpositionFormat) {
        #expect(ExpositionFormat(accept: accept) == format)
    }

    @Test func cutsLongLabels() {
        let bytes = MetricLabels(["a-b": String(repeating: "é", count: 100_000)]).bytes
        #expect(String(decoding: bytes, as: UTF8.self) == "a_b=\"" + String(repeating: "é", count: 256) + "…\"")
        #expect(MetricLabels(["1x": ""]).bytes == Array("_1x=\"\"".utf8))
    }

    @Test func registryExposesMetricsOfLibraries() {
        let registry = MetricsRegistry(limit: 5)
        Counter(label: "hb.requests", dimensions: [("path", "/a")], factory: registry).increment(by: 2)
        Counter(label: "hb.requests", dimensions: [("path", "/a")], factory: registry).increment()
        Counter(label: "hb.requests", dimensions: [("path", "/\"")], factory: registry).increment(by: -5)
        Meter(label: "active", factory: registry).set(3)
        Timer(label: "duration", factory: registry).recordMilliseconds(2)
        Recorder(label: "size", factory: registry).record(7)
        // One series beyond the limit, and a name that is in use for another kind.
        Counter(label: "more", factory: registry).increment()
        Gauge(label: "hb.requests", factory: registry).record(1)
        let text = Self.text(.prometheus, [registry])
        #expect(text.contains("hb_requests_total{path=\"/a\"} 3\n"))
        #expect(text.contains("hb_requests_total{path=\"/\\\"\"} 0\n"))
        #expect(text.contains("active{} 3.0\n"))
        #expect(text.contains("duration_seconds_bucket{le=\"0.0025\"} 1\n"))
        #expect(text.contains("size_sum 7.0\nsize_count 1\n"))
        #expect(!text.contains("more_total"))
        #expect(text.contains("weir_metrics_series_refused_total{} 2\n"))
    }

    @Test(arguments: [0, 9, 10, 99, 100, 12_345, UInt64.max / 10, UInt64.max])
    func writesNumbers(_ number: UInt64) {
        var buffer = TextBuffer(capacity: 1)
        buffer.append(number)
        #expect(buffer.withBytes { String(decoding: $0, as: UTF8.self) } == "\(number)")
    }

    /// The parser of the Prometheus project's Python client reads both formats.
    @Test(arguments: [ExpositionFormat.prometheus, .openMetrics])
    func prometheusClientParsesExposition(_ format: ExpositionFormat) throws {
        let registry = MetricsRegistry()
        Counter(label: "hb.requests", dimensions: [("path", "/\n\"\\")], factory: registry).increment(by: 2)
        Timer(label: "duration", factory: registry).recordMilliseconds(2)
        Recorder(label: "size", factory: registry).record(7)
        let result = try PrometheusClient.parse(Self.text(format, [Sample(), registry]), format)
        #expect(result.status == 0, "\(result.output)")
        #expect(result.output.contains("8 families"), "\(result.output)")
    }
}

/// Runs the parser of `prometheus_client` (Debian: python3-prometheus-client).
enum PrometheusClient {
    static func parse(_ text: String, _ format: ExpositionFormat) throws -> (status: Int32, output: String) {
        let module = format == .openMetrics ? "openmetrics.parser" : "parser"
        let program = """
            import sys
            from prometheus_client.\(module) import text_string_to_metric_families
            families = list(text_string_to_metric_families(sys.stdin.read()))
            print(len(families), 'families')
            """
        return try TestFolder().run(["/usr/bin/python3", "-c", program], input: text)
    }
}
