/// Parameters of Calico's Felix that correspond to settings: `FELIX_…` in the environment, camel case in the file.
enum FelixAliases {
    /// A parameter and the setting that it maps to.
    struct Alias: Sendable {
        /// The name of the parameter in FelixConfiguration.
        let parameter: String
        /// The setting of Weir.
        let setting: String
        /// Converts a value of Felix to a value of the setting; nil if it has no counterpart.
        let translate: @Sendable (String) -> String?

        /// Whether several parameters together give the values of the setting.
        var isPart: Bool { setting == "collect" }
    }

    /// All aliases.
    static let all: [Alias] = [
        Alias(parameter: "flowLogsFlushInterval", setting: "flush-interval", translate: seconds),
        Alias(parameter: "flowLogsFileAggregationKindForAllowed", setting: "aggregation-allowed") { $0 },
        Alias(parameter: "flowLogsFileAggregationKindForDenied", setting: "aggregation-denied") { $0 },
        Alias(parameter: "flowLogsFileEnabledForAllowed", setting: "record-allowed", translate: flag),
        Alias(parameter: "flowLogsFileEnabledForDenied", setting: "record-denied", translate: flag),
        Alias(parameter: "flowLogsFileIncludeLabels", setting: "include-labels", translate: flag),
        Alias(parameter: "flowLogsFileIncludePolicies", setting: "include-policies", translate: flag),
        Alias(parameter: "flowLogsFileIncludeService", setting: "include-service", translate: flag),
        Alias(parameter: "flowLogsDynamicAggregationEnabled", setting: "dynamic-aggregation", translate: flag),
        Alias(parameter: "flowLogsFileDirectory", setting: "output") { "file:\($0)/flows.log" },
        Alias(parameter: "flowLogsFileMaxFiles", setting: "file-max-files") { $0 },
        Alias(parameter: "flowLogsFileMaxFileSizeMB", setting: "file-max-size") { "\($0)M" },
        Alias(parameter: "flowLogsCollectTcpStats", setting: "collect") {
            Setting.flag($0).map { $0 ? "tcp" : "none" }
        },
        Alias(parameter: "flowLogsCollectProcessInfo", setting: "collect") {
            Setting.flag($0).map { $0 ? "process" : "none" }
        },
        Alias(parameter: "flowLogsPolicyScope", setting: "policy-scope") {
            ["EndpointPolicies": "endpoint", "AllPolicies": "all"][$0]
        },
        Alias(parameter: "flowLogsCollectProcessPath", setting: "collect") {
            Setting.flag($0).map { $0 ? "process-path" : "none" }
        },
        Alias(parameter: "dnsLogsFileAggregationKind", setting: "dns-aggregation") { $0 },
        Alias(parameter: "felixHostname", setting: "host") { $0 },
    ]

    /// Parameters of flow logs whose effect is always on in Weir.
    static let alwaysOn: Set<String> = [
        "flowlogsfileenabled", "flowlogsenablenetworksets", "flowlogsenablehostendpoint",
    ]

    /// The alias of a parameter, regardless of case.
    static func alias(_ parameter: String) -> Alias? {
        all.first { $0.parameter.lowercased() == parameter.lowercased() }
    }

    /// Converts a boolean of Felix to `on` or `off`.
    private static func flag(_ text: String) -> String? {
        Setting.flag(text).map { $0 ? "on" : "off" }
    }

    /// Converts a time of Felix: seconds (`300`, `15.5`) or a duration of Go (`5m0s`, `1h`, `500ms`).
    private static func seconds(_ text: String) -> String? {
        if let value = Double(text) { return milliseconds(value * 1000) }
        var total = 0.0
        var rest = text[...]
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            let unit = rest.dropFirst(number.count).prefix { $0.isLetter }
            guard let value = Double(number) else { return nil }
            switch unit {
            case "h": total += value * 3_600_000
            case "m": total += value * 60_000
            case "s": total += value * 1_000
            case "ms": total += value
            default: return nil
            }
            rest = rest.dropFirst(number.count + unit.count)
        }
        return milliseconds(total)
    }

    private static func milliseconds(_ value: Double) -> String? {
        guard value >= 1, value <= 1_000_000_000 else { return nil }
        let whole = Int64(value.rounded())
        return whole % 1000 == 0 ? "\(whole / 1000)s" : "\(whole)ms"
    }
}
