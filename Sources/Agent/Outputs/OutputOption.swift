import Compression
import Export
import Filter
import FlowLog
import FlowModel

/// An option of one output, as in `file:PATH;max-size=50M`.
struct OutputOption: Sendable {
    /// The name.
    let name: String
    /// The value of an option that is given without one; nil where a value is required.
    let implied: String?
    /// Sets the option; returns the reason why the value is invalid, or nil.
    let set: @Sendable (inout OutputConfiguration, String) -> String?

    private init(
        _ name: String,
        implied: String? = nil,
        _ set: @escaping @Sendable (inout OutputConfiguration, String) -> String?
    ) {
        self.name = name
        self.implied = implied
        self.set = set
    }

    /// All options.
    static let all = selection + details + intervals + messages + servers + ofLines
    /// The options that outputs of other lines than flow records have, too.
    static let ofLines = files + spools + certificates

    private static let selection = [
        OutputOption("filter") { filter($1, &$0.selection.keep) },
        OutputOption("drop") { filter($1, &$0.selection.drop) },
        OutputOption("with-host", implied: "on") { flag($1, &$0.selection.isWithHost) },
    ]

    private static let details = [
        OutputOption("aggregation-allowed") { level($1, &$0.selection.levelForAllowed) },
        OutputOption("aggregation-denied") { level($1, &$0.selection.levelForDenied) },
        OutputOption("record-allowed", implied: "on") { flag($1, &$0.selection.recordsAllowed) },
        OutputOption("record-denied", implied: "on") { flag($1, &$0.selection.recordsDenied) },
        OutputOption("include-labels", implied: "on") { flag($1, &$0.selection.detail.includesLabels) },
        OutputOption("include-policies", implied: "on") { flag($1, &$0.selection.detail.includesPolicies) },
        OutputOption("include-service", implied: "on") { flag($1, &$0.selection.detail.includesService) },
        OutputOption("dynamic-aggregation", implied: "8M") { output, value in
            if value == "off" {
                output.selection.easing = nil
                return nil
            }
            guard let bytes = value == "on" ? 8 << 20 : size(value) else {
                return "\"\(value)\" is no size; write it like 8M, on or off"
            }
            output.selection.easing = .init(threshold: bytes, positionFile: output.selection.easing?.positionFile)
            return nil
        },
        OutputOption("position-file") { output, value in
            guard !value.isEmpty else { return "it is empty" }
            // The default of Calico's agent (flowLogsAggregationThresholdBytes).
            let threshold = output.selection.easing?.threshold ?? 8192
            output.selection.easing = .init(threshold: threshold, positionFile: value)
            return nil
        },
    ]

    private static let intervals = [
        OutputOption("interval") { output, value in
            if let flaw = interval(value, &output.selection.intervalForAllowed) { return flaw }
            return interval(value, &output.selection.intervalForDenied)
        },
        OutputOption("interval-allowed") { interval($1, &$0.selection.intervalForAllowed) },
        OutputOption("interval-denied") { interval($1, &$0.selection.intervalForDenied) },
    ]

    private static let spools = [
        OutputOption("spool") { output, value in
            if value == "off" {
                output.options.spoolFolder = nil
                return nil
            }
            return text(value, &output.options.spoolFolder)
        },
        OutputOption("spool-max-size") { output, value in
            guard let bytes = size(value), bytes >= 1 << 20 else { return "\"\(value)\" is no size of 1M or more" }
            output.options.spoolBytes = bytes
            return nil
        },
        OutputOption("spool-full") { output, value in
            guard ["oldest", "newest"].contains(value) else { return "oldest or newest is needed: what is dropped" }
            output.options.spoolDropsOldest = value == "oldest"
            return nil
        },
    ]

    private static let messages = [
        OutputOption("content") { output, value in
            guard let content = SyslogContent(rawValue: value) else { return "json, fields or cef is needed" }
            output.options.syslogContent = content
            return nil
        }
    ]

    private static let files = [
        OutputOption("max-size") { output, value in
            if value == "off" {
                output.options.rotation.maximumBytes = nil
                return nil
            }
            guard let bytes = size(value) else { return "\"\(value)\" is no size; write it like 100M, or off" }
            output.options.rotation.maximumBytes = bytes
            return nil
        },
        OutputOption("max-files") { output, value in
            guard let number = Int(value), 0...10_000 ~= number else { return "a number from 0 to 10000 is needed" }
            output.options.rotation.maximumFiles = number
            return nil
        },
        OutputOption("max-age") { time($1, &$0.options.rotation.maximumAge) },
        OutputOption("min-age") { output, value in
            var age: Duration?
            if let flaw = time(value, &age) { return flaw }
            output.options.rotation.minimumAge = age ?? .zero
            return nil
        },
        OutputOption("compress", implied: "gzip") { output, value in
            switch value {
            case "off", "false": output.options.rotation.compression = nil
            case "on", "true": output.options.rotation.compression = .gzip
            default:
                guard let format = FileCompression(rawValue: value) else { return "gzip, zstd or off is needed" }
                output.options.rotation.compression = format
            }
            return nil
        },
        OutputOption("mode") { output, value in
            guard let mode = UInt32(value, radix: 8), mode & ~0o777 == 0, mode & 0o600 == 0o600 else {
                return "\"\(value)\" is no mode; write it like 0640, with the right to write for the owner"
            }
            output.options.fileMode = mode
            return nil
        },
    ]

    private static let servers = [
        OutputOption("timeout") { output, value in
            var limit: Duration?
            if let flaw = time(value, &limit) { return flaw }
            guard let limit, limit > .zero else { return "a time is needed" }
            output.options.http.timeout = limit
            return nil
        },
        OutputOption("gzip", implied: "on") { output, value in
            var isCompressing = false
            if let flaw = flag(value, &isCompressing) { return flaw }
            output.options.http.isCompressing = isCompressing
            return nil
        },
        OutputOption("user") { text($1, &$0.options.http.user) },
        OutputOption("password-file") { text($1, &$0.options.http.passwordFile) },
        OutputOption("token-file") { text($1, &$0.options.http.tokenFile) },
        OutputOption("api-key-file") { text($1, &$0.options.http.apiKeyFile) },
        OutputOption("acknowledge", implied: "on") { flag($1, &$0.options.http.waitsForIndexers) },
        OutputOption("dead-letter") { text($1, &$0.options.http.deadLetterPath) },
        OutputOption("index") { output, value in
            let isName = value.utf8.allSatisfy { 0x61...0x7a ~= $0 || 0x30...0x39 ~= $0 || "._-{}".utf8.contains($0) }
            guard !value.isEmpty, isName else {
                return "\"\(value)\" is no name: small letters, digits, . _ - and {date}"
            }
            output.options.http.index = value
            return nil
        },
        OutputOption("table") { output, value in
            let parts = value.split(separator: ".", omittingEmptySubsequences: false)
            let isName = parts.allSatisfy { part in
                !part.isEmpty
                    && part.utf8.allSatisfy {
                        0x61...0x7a ~= $0 || 0x41...0x5a ~= $0 || 0x30...0x39 ~= $0 || $0 == 0x5f
                    }
            }
            guard parts.count <= 2, isName else { return "\"\(value)\" is no table as in default.flows" }
            output.options.http.table = value
            return nil
        },
    ]

    private static let certificates = [
        OutputOption("ca-file") { text($1, &$0.options.http.authorityFile) },
        OutputOption("cert-file") { text($1, &$0.options.http.certificateFile) },
        OutputOption("key-file") { text($1, &$0.options.http.keyFile) },
        OutputOption("server-name") { text($1, &$0.options.http.serverName) },
    ]

    // MARK: Values

    private static func text(_ text: String, _ value: inout String?) -> String? {
        guard !text.isEmpty else { return "it is empty" }
        value = text
        return nil
    }

    private static func filter(_ text: String, _ filter: inout Filter?) -> String? {
        do throws(FilterError) {
            filter = try Filter(text)
            return nil
        } catch {
            return "\(error)"
        }
    }

    private static func flag(_ text: String, _ flag: inout Bool) -> String? {
        guard ["on", "off", "true", "false"].contains(text) else { return "on or off is needed" }
        flag = text == "on" || text == "true"
        return nil
    }

    private static func level(_ text: String, _ level: inout AggregationLevel?) -> String? {
        guard let number = Int(text), let value = AggregationLevel(rawValue: number) else {
            return "a level from 0 to 3 is needed"
        }
        level = value
        return nil
    }

    private static func interval(_ text: String, _ seconds: inout Int64?) -> String? {
        var duration: Duration?
        if let flaw = time(text, &duration) { return flaw }
        guard duration.map({ $0 >= .seconds(1) && $0.components.attoseconds == 0 }) ?? true else {
            return "records have whole seconds: write it like 30s, 5m, or off"
        }
        seconds = duration?.components.seconds
        return nil
    }

    /// A size as in `100M`; K, M and G are powers of 1024.
    static func size(_ text: String) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let shift =
            switch text.dropFirst(digits.count) {
            case "": 0
            case "K", "Ki", "KiB": 10
            case "M", "Mi", "MiB": 20
            case "G", "Gi", "GiB": 30
            default: -1
            }
        guard shift >= 0, let value = Int(digits), value > 0, value <= (1 << 50) >> shift else { return nil }
        return value << shift
    }

    private static func time(_ text: String, _ time: inout Duration?) -> String? {
        if text == "off" {
            time = nil
            return nil
        }
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let value = Int64(digits), value <= 1_000_000 else { return unreadableTime(text) }
        switch text.dropFirst(digits.count) {
        case "ms": time = .milliseconds(value)
        case "s", "": time = .seconds(value)
        case "m": time = .seconds(value * 60)
        case "h": time = .seconds(value * 3_600)
        case "d": time = .seconds(value * 86_400)
        default: return unreadableTime(text)
        }
        return nil
    }

    private static func unreadableTime(_ text: String) -> String {
        "\"\(text)\" is no time; write it like 30s, 5m, 1h, 1d, or off"
    }
}
