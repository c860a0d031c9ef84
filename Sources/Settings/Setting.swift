/// A setting: its name, its type and its effect.
///
/// The name is the same everywhere: `flush-interval` in the file, `--flush-interval` on the command line,
/// `WEIR_FLUSH_INTERVAL` in the environment. ``all`` is the only table of settings: command-line options, the file, the
/// environment and the reference are derived from it.
package struct Setting: Sendable {
    /// The type of values.
    package enum Kind: Sendable, Equatable {
        /// On or off.
        case flag
        /// A text; error messages call it `what`.
        case text(what: String)
        /// A whole number.
        case integer(ClosedRange<Int>)
        /// A duration: `500ms`, `10s`, `5m`, `1h`; a number without a unit is in seconds.
        ///
        /// The range is in milliseconds.
        case time(ClosedRange<Int64>)
        /// A size in memory or on disk: `256M`, `1G`; a number without a unit is in bytes.
        ///
        /// The range is in bytes.
        case size(ClosedRange<Int>)
        /// One word of a list.
        case choice([String])
    }

    /// The group in the reference.
    package enum Group: String, Sendable, CaseIterable {
        /// The interfaces that are observed, and the method.
        case interfaces = "Interfaces"
        /// The sources of the owners of addresses.
        case inventory = "Inventory"
        /// The content and the intervals of records.
        case records = "Records"
        /// The destinations of records.
        case outputs = "Outputs"
        /// Audit logs of API servers.
        case audit = "Audit logs"
        /// Limits of memory and other resources.
        case resources = "Resources"
        /// Metrics, health, and their access control.
        case server = "Metrics and health"
        /// The run as a whole.
        case run = "The run"
    }

    /// When a changed value takes effect in a running process.
    package enum Reload: Sendable {
        /// Immediately.
        case live
        /// At the next start.
        case restart
    }

    /// The name: lower-case words joined by hyphens.
    package let name: String
    /// The type of values.
    package let kind: Kind
    /// Whether there may be several values: a list in the file, repeated options, commas in the environment.
    package let isRepeatable: Bool
    /// The default as a text for people, which need not be a valid value; nil if there is none.
    package let defaultValue: String?
    /// The group.
    package let group: Group
    /// When a changed value takes effect.
    package let reload: Reload
    /// The placeholder of the value in help texts, as in `--output <spec>`.
    package let valueName: String
    /// The effect, in a few sentences.
    package let help: String
    /// A value for the example file; nil to use the default.
    package let example: String?

    /// Declares a setting.
    package init(
        _ name: String,
        _ kind: Kind,
        isRepeatable: Bool = false,
        default defaultValue: String? = nil,
        _ group: Group,
        reload: Reload = .restart,
        valueName: String,
        example: String? = nil,
        _ help: String
    ) {
        self.name = name
        self.kind = kind
        self.isRepeatable = isRepeatable
        self.defaultValue = defaultValue
        self.group = group
        self.reload = reload
        self.valueName = valueName
        self.example = example
        self.help = help
    }

    /// The name of the environment variable for the setting.
    package var variable: String { "WEIR_" + name.uppercased().replacing("-", with: "_") }

    /// The setting with a name; nil if there is none.
    package static func named(_ name: String) -> Setting? { byName[name] }

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

    /// The type of values, as a text for people.
    package var typeDescription: String {
        switch kind {
        case .flag: "true or false"
        case .text(let what): what
        case .integer(let range): "number, \(range.lowerBound) to \(range.upperBound)"
        case .time(let range):
            "time, \(Self.time(range.lowerBound))"
                + (range.upperBound == .max ? " or more" : " to \(Self.time(range.upperBound))")
        case .size(let range): "size in bytes (K, M, G), \(Self.size(range.lowerBound)) or more"
        case .choice(let words): words.joined(separator: ", ")
        }
    }
}

// MARK: - Values

extension Setting {
    /// The reason why a value is invalid; nil if it is valid.
    package func fault(in value: String) -> String? {
        switch kind {
        case .flag: Self.flag(value) == nil ? "'\(value)' is not true or false" : nil
        case .text(let what): value.isEmpty ? "the \(what) is empty" : nil
        case .integer(let range):
            Int(value).map(range.contains) == true
                ? nil : "'\(value)' is no number from \(range.lowerBound) to \(range.upperBound)"
        case .time(let range):
            switch Self.milliseconds(value) {
            case nil: "'\(value)' is no time; write it like 500ms, 10s, 5m or 1h"
            case .some(let time) where !range.contains(time): "'\(value)' is out of range: \(typeDescription)"
            default: nil
            }
        case .size(let range):
            switch Self.bytes(value) {
            case nil: "'\(value)' is no size; write it like 256M or 1G"
            case .some(let size) where !range.contains(size): "'\(value)' is out of range: \(typeDescription)"
            default: nil
            }
        case .choice(let words):
            words.contains(value) ? nil : "'\(value)' is not one of \(words.joined(separator: ", "))"
        }
    }

    /// Reads `true`, `yes`, `on`, `1` and their opposites.
    package static func flag(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "yes", "on", "1": true
        case "false", "no", "off", "0": false
        default: nil
        }
    }

    /// Reads a time, in milliseconds.
    package static func milliseconds(_ text: String) -> Int64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let value = Int64(digits), value > 0, value <= 1_000_000 else { return nil }
        switch text.dropFirst(digits.count) {
        case "ms": return value
        case "s", "": return value * 1_000
        case "m": return value * 60_000
        case "h": return value * 3_600_000
        default: return nil
        }
    }

    /// Reads a size, in bytes.
    package static func bytes(_ text: String) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit: Int
        switch text.dropFirst(digits.count) {
        case "": unit = 1
        case "K", "Ki", "KiB": unit = 1 << 10
        case "M", "Mi", "MiB": unit = 1 << 20
        case "G", "Gi", "GiB": unit = 1 << 30
        default: return nil
        }
        guard let value = Int(digits), value > 0, value <= (1 << 50) / unit else { return nil }
        return value * unit
    }

    private static func time(_ milliseconds: Int64) -> String {
        for (unit, name) in [(Int64(3_600_000), "h"), (60_000, "m"), (1_000, "s")] where milliseconds % unit == 0 {
            return "\(milliseconds / unit)\(name)"
        }
        return "\(milliseconds)ms"
    }

    private static func size(_ bytes: Int) -> String {
        bytes % (1 << 20) == 0 ? "\(bytes >> 20)M" : "\(bytes)"
    }
}
