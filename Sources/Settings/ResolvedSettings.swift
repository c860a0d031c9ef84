import Foundation

/// What is set for a run, by all sources together.
public struct ResolvedSettings: Sendable {
    /// The file that is read if no other is named, and if it exists.
    public static let defaultPath = "/etc/weir/weir.yaml"

    /// The values that are in force, by the setting's name; what is not set is not in it.
    public private(set) var entries: [String: SettingValues.Entry] = [:]
    /// The file that was read; nil if none was.
    public private(set) var path: String?
    /// What cannot be used.
    public private(set) var faults: [SettingFault] = []
    /// What is not used and does no harm.
    public private(set) var remarks: [String] = []

    /// Reads the file and the environment, and looks which settings the command line gives.
    ///
    /// - Parameters:
    ///   - arguments: those behind the command's name.
    ///   - environment: all variables.
    ///   - defaultPath: the file that is read if `--config` names none and it exists.
    public init(
        arguments: [String],
        environment: [String: String],
        defaultPath: String = ResolvedSettings.defaultPath
    ) {
        let given = Self.options(in: arguments)
        let named = given["config"]?.last ?? environment["WEIR_CONFIG"]
        var environment = environment
        environment["WEIR_CONFIG"] = nil
        if let path = named ?? (Self.exists(defaultPath) ? defaultPath : nil) {
            self.path = path
            take(SettingValues(file: path))
        }
        take(SettingValues(environment: environment))
        for (name, values) in given where Setting.named(name) != nil {
            entries[name] = SettingValues.Entry(values, .option)
        }
    }

    /// As if only a file were read: what it says, and what is wrong with it.
    public init(file path: String) {
        self.path = path
        take(SettingValues(file: path))
    }

    private mutating func take(_ values: SettingValues) {
        entries.merge(values.entries) { $1 }
        faults += values.faults
        remarks += values.remarks
    }

    /// The options that stand for what the file and the environment say, for the parser of the command line; those that the
    /// command line gives itself are left out.
    public var arguments: [String] {
        Setting.all.flatMap { setting -> [String] in
            guard let entry = entries[setting.name], entry.origin != .option else { return [] }
            if setting.kind == .flag { return entry.values == ["true"] ? ["--\(setting.name)"] : [] }
            return entry.values.map { "--\(setting.name)=\($0)" }
        }
    }

    /// The values in force of all settings, in the order of the table, and where each comes from.
    public var listing: [(setting: Setting, values: [String], origin: SettingOrigin)] {
        Setting.all.map { setting in
            guard let entry = entries[setting.name] else {
                return (setting, setting.defaultValue.map { [$0] } ?? [], .default)
            }
            return (setting, entry.values.map(Self.redacted), entry.origin)
        }
    }

    /// A value without the secrets that a URL in it may have: the password, and what follows `?`.
    ///
    /// Behind a semicolon are options of an output, which have no secrets.
    static func redacted(_ value: String) -> String {
        guard let scheme = value.range(of: "://") else { return value }
        let rest = value[scheme.upperBound...]
        let url = rest.prefix { $0 != ";" }
        let place = url.prefix { $0 != "?" }
        let authority = place.prefix { $0 != "/" && $0 != "#" }
        let kept = authority.lastIndex(of: "@").map { "redacted\(place[$0...])" } ?? String(place)
        let query = place.endIndex < url.endIndex ? "?redacted" : ""
        return "\(value[..<scheme.upperBound])\(kept)\(query)\(rest[url.endIndex...])"
    }

    private static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    /// The options of a command line, with their values: `--name value`, `--name=value`, `--flag`.
    static func options(in arguments: [String]) -> [String: [String]] {
        var options: [String: [String]] = [:]
        var index = 0
        while index < arguments.count {
            defer { index += 1 }
            let argument = arguments[index]
            if argument == "--" { break }
            guard argument.hasPrefix("--") else { continue }
            let word = argument.dropFirst(2)
            if let equals = word.firstIndex(of: "=") {
                options[String(word[..<equals]), default: []].append(String(word[word.index(after: equals)...]))
                continue
            }
            let name = String(word)
            if Setting.named(name)?.kind == .flag {
                options[name] = ["true"]
            } else if name == "config" || Setting.named(name) != nil, index + 1 < arguments.count {
                index += 1
                options[name, default: []].append(arguments[index])
            }
        }
        return options
    }
}
