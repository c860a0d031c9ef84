import Agent
import Foundation
import Lab
import Testing

/// The answers of a run over HTTP.
@Suite(.serialized, .needsRoot)
struct ServerRunTests {
    private let folder: TemporaryFolder
    private let cable: Cable

    init() throws {
        folder = try TemporaryFolder()
        cable = try Cable()
        try cable.node.ip("link set lo up")
    }

    private var socket: String { folder.file("weir.sock") }

    private func ask(_ path: String, _ options: [String] = []) throws -> String {
        try cable.node.command(
            ["curl", "-sS", "--max-time", "10", "--unix-socket", socket] + options + ["http://weir" + path]
        )
    }

    /// The value of a sample; nil if there is none.
    private static func value(_ sample: String, in metrics: String) -> Double? {
        metrics.split(separator: "\n").first { $0.hasPrefix(sample + " ") }
            .flatMap { Double($0.dropFirst(sample.count + 1)) }
    }

    private func start(_ options: [String] = []) throws -> WeirRun {
        try WeirRun(in: cable.node, folder, ["--interface", "eth0", "--http", "off", "--socket", socket] + options)
    }

    @Test func metricsEqualKernelCounters() throws {
        let weir = try start()
        let before = try cable.counters
        _ = try cable.toNode().udp(count: 1_000, size: 72, port: 7)
        try cable.waitUntilQuiet()
        let sample = #"weir_datapath_seen_packets_total{interface="eth0",direction="ingress"}"#
        let output = "file:" + weir.recordsPath
        let delivered = #"weir_output_records_total{output="\#(output)",result="delivered"}"#
        var metrics = ""
        let isThere = try eventually {
            metrics = try ask("/metrics")
            let seen = Self.value(sample, in: metrics) ?? 0
            let inFlight = Self.value("weir_account_in_flight_packets{}", in: metrics) ?? 1
            // The pipeline's figures are read at its turn, later than those of outputs.
            let made = Self.value("weir_pipeline_records_total{}", in: metrics) ?? 0
            return seen >= 1_000 && inFlight == 0 && (Self.value(delivered, in: metrics) ?? 0) > 0 && made > 0
        }
        try #require(isThere, "\(metrics)")
        let received = try cable.counters.receivedPackets - before.receivedPackets
        #expect(received >= 1_000)
        let parts = ["flows", "overflow", "remainder", "not_ip", "unparsed"].map {
            Self.value(#"weir_account_packets_total{interface="eth0",direction="ingress",part="\#($0)"}"#, in: metrics)
                ?? 0
        }
        #expect(parts.reduce(0, +) == Self.value(sample, in: metrics))
        #expect(Self.value("weir_account_unaccounted_packets{}", in: metrics) == 0)
        #expect(Self.value("weir_loss_abandoned_batches_total{}", in: metrics) == 0)
        try weir.finish()
        // The run removes its socket.
        #expect(!folder.has("weir.sock"))
    }

    @Test func metricsPassPrometheusParsers() throws {
        let weir = try start()
        _ = try cable.toNode().udp(count: 10, size: 72, port: 7)
        let file = folder.file("metrics")
        try ask("/metrics").write(toFile: file, atomically: true, encoding: .utf8)
        // Only names of metrics that libraries choose may cause advice of promtool.
        let judged = try cable.node.start(["sh", "-c", "promtool check metrics <\(file)"], keepingIn: folder)
        let status = judged.wait()
        let ours = (judged.output + judged.errors).split(separator: "\n").filter {
            $0.hasPrefix("weir_") || $0.hasPrefix("process_")
        }
        #expect(status == 0 || status == 3, "\(judged.errors)")
        #expect(ours.isEmpty, "\(ours)")
        let open = try ask("/metrics", ["-H", "Accept: application/openmetrics-text; version=1.0.0"])
        try open.write(toFile: file, atomically: true, encoding: .utf8)
        let program = """
            import sys
            from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
            print(sum(family.name.startswith('weir_') for family in parse(open(sys.argv[1]).read())))
            """
        let count = try cable.node.command(["/usr/bin/python3", "-c", program, file])
        #expect((Int(count.filter(\.isNumber)) ?? 0) > 60, "\(count)")
        try weir.finish()
    }

    /// Metrics contain the traffic of an address of this host, and the run time of the programs, where that is configured.
    @Test func metricsReportWorkloadTrafficAndProgramTime() throws {
        let weir = try start(["--flow-metrics", "10", "--program-time"])
        let wire = try WireCounters(in: cable.node)
        let programs = try eventually { try ask("/debug/programs").contains(#""name":"weir_ingress""#) }
        #expect(programs)
        let sent = try cable.toNode().udp(count: 1_000, size: 72, port: 7)
        try #require(sent.serverReceived.messages == 1_000)
        try cable.waitUntilQuiet()
        let received = try wire.flows().reduce(into: Count()) { $0 += $1.value }
        var metrics = ""
        func sum(_ name: String, _ label: String) -> Double {
            metrics.split(separator: "\n").filter { $0.hasPrefix("\(name){namespace=") && $0.contains(label) }
                .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.reduce(0, +)
        }
        let isThere = try eventually {
            metrics = try ask("/metrics")
            return sum("weir_flow_bytes_total", #"direction="in""#) >= Double(received.bytes)
                && (Self.value(#"weir_bpf_runs_total{program="weir_ingress"}"#, in: metrics) ?? 0) >= 1_000
        }
        try #require(isThere, "\(metrics)")
        #expect(sum("weir_flow_packets_total", #"direction="in""#) >= 1_000)
        #expect(sum("weir_flow_connections_total", #"side="server""#) >= 1)
        #expect(sum("weir_flow_denied_connections_total", "side=") == 0)
        #expect((Self.value(#"weir_bpf_run_seconds_total{program="weir_ingress"}"#, in: metrics) ?? 0) > 0)
        try weir.finish()
    }

    @Test func probesReportMissingInterface() throws {
        let weir = try start()
        #expect(try ask("/healthz") == "ok\n")
        // The log has the interface before the state has.
        let isReady = try eventually { try ask("/readyz") == "ok\n" }
        #expect(isReady)
        try cable.node.ip("link delete eth0")
        try weir.waitFor("no longer watching eth0")
        let isMissing = try eventually { try ask("/readyz") == "datapath: no interface is watched\n" }
        #expect(isMissing)
        #expect(try ask("/readyz", ["-o", "/dev/null", "-w", "%{http_code}"]) == "503")
        try weir.finish()
    }

    /// Probes wait for several intervals, which together may be longer than the clock goes.
    @Test func probesAnswerWithLongestIntervals() throws {
        let weir = try start(["--flush-interval", "1000000h", "--poll-interval", "1000000h"])
        #expect(try ask("/healthz") == "ok\n")
        try weir.finish()
    }

    /// Stored records require a token from clients of the HTTP address, but not from those of this host's socket.
    @Test func storeRequiresTokenOnReachableAddress() throws {
        let store = folder.file("flows.db")
        let token = folder.file("token")
        try Data("0123456789abcdef\n".utf8).write(to: URL(fileURLWithPath: token))
        chmod(token, 0o600)
        let url = "http://127.0.0.1:19465/api/v1/status"
        for options in [[], ["--http-token-file", token]] {
            let weir = try WeirRun(
                in: cable.node,
                folder,
                ["--interface", "eth0", "--http", "0.0.0.0:19465", "--socket", socket, "--store", store] + options
            )
            #expect(try ask("/api/v1/status").contains("\"store\":{"))
            let open = try cable.node.command(["curl", "-sS", url])
            #expect(!open.contains("\"store\":{"), "\(open)")
            let shown = try cable.node.command(["curl", "-sS", "-H", "Authorization: Bearer 0123456789abcdef", url])
            #expect(shown.contains("\"store\":{") == !options.isEmpty, "\(shown)")
            #expect(options.isEmpty == shown.contains("token_needed"))
            try weir.finish()
        }
        var status = stat()
        #expect(lstat(store, &status) == 0 && status.st_mode & 0o777 == 0o600)
    }

    /// If the store of the settings file is unusable, the run writes records without history; one of the command line prevents
    /// the start.
    @Test func unusableStoreOfSettingsDoesNotEndRun() throws {
        let settings = folder.file("weir.yaml")
        try Data("store: /proc/nowhere/flows.db\n".utf8).write(to: URL(fileURLWithPath: settings))
        let weir = try start(["--config", settings])
        try weir.waitFor("nothing is stored")
        #expect(try ask("/api/v1/status").contains("no_store"))
        weir.process.signal(SIGTERM)
        #expect(weir.process.wait() == 0, "\(weir.process.errors)")
        let second = try cable.node.start(
            [
                WeirProgram.path, "run", "--interface", "lo", "--no-pin", "--http", "off", "--socket", "off", "--store",
                "/proc/nowhere/flows.db",
            ],
            keepingIn: folder
        )
        #expect(second.wait() == 1)
        #expect(second.errors.contains("error: --store /proc/nowhere/flows.db"), "\(second.errors)")
    }

    @Test func requestedPortInUsePreventsStart() throws {
        let weir = try WeirRun(
            in: cable.node,
            folder,
            ["--interface", "eth0", "--http", "127.0.0.1:19464", "--socket", "off"]
        )
        let second = try cable.node.start(
            [
                WeirProgram.path, "run", "--interface", "lo", "--no-pin", "--http", "127.0.0.1:19464",
                "--socket", "off",
            ],
            keepingIn: folder
        )
        #expect(second.wait() == 1)
        #expect(second.errors.contains("error: cannot answer HTTP on http://127.0.0.1:19464: Address already in use"))
        #expect(try cable.node.command(["curl", "-sS", "http://127.0.0.1:19464/healthz"]) == "ok\n")
        try weir.finish()
    }
}
