import Foundation

/// The settings of a run, resolved from all sources.
package struct ResolvedSettings: Sendable {
    /// The file that is read if no other one is named and it exists.
    package static let defaultPath = "/etc/weir/weir.yaml"

    /// The effective values, by the name of the setting; settings without a value are missing.
    package private(set) var entries: [String: SettingValues.Entry] = [:]
    /// The file that was read; nil if none was.
    package private(set) var path: String?
    /// The values that are invalid.
    package private(set) var faults: [SettingFault] = []
    /// The entries that are ignored.
    package private(set) var remarks: [String] = []

    /// Reads the file and the environment, and finds the options of settings on the command line.
    ///
    /// - Parameters:
    ///   - arguments: the arguments after the command's name.
    ///   - environment: the environment variables.
    ///   - defaultPath: the file that is read if `--config` names none and it exists.
    package init(
        arguments: [String],
        environment: [String: String],
        defaultPath: String = ResolvedSettings.defaultPath
    ) {
        let given = Self.options(in: arguments)
        let named = given["config"]?.last ?? environment["WEIR_CONFIG"]
        var environment = environment
        environment["WEIR_CONFIG"] = nil
        if named?.isEmpty == true {
            let origin = given["config"] == nil ? SettingOrigin.environment("WEIR_CONFIG") : .option
            faults.append(SettingFault(origin, "config: the path is empty"))
        } else if let path = named ?? (Self.exists(defaultPath) ? defaultPath : nil) {
            self.path = path
            take(SettingValues(file: path))
        }
        take(SettingValues(environment: environment))
        for (name, values) in given where Setting.named(name) != nil {
            entries[name] = SettingValues.Entry(values, .option)
        }
        for (one, other) in Self.exclusive { letOverride(one, other) }
    }

    /// Pairs of settings that exclude each other; the source that is read later overrides the other.
    private static let exclusive = [("pin", "no-pin"), ("kubernetes", "kubeconfig")]

    private mutating func letOverride(_ one: String, _ other: String) {
        guard let first = entries[one], let second = entries[other], first.values != ["false"],
            second.values != ["false"], first.origin.rank != second.origin.rank
        else { return }
        entries[first.origin.rank < second.origin.rank ? one : other] = nil
    }

    /// Reads only the values of a file, and their faults.
    package init(file path: String) {
        self.path = path
        take(SettingValues(file: path))
    }

    private mutating func take(_ values: SettingValues) {
        entries.merge(values.entries) { $1 }
        faults += values.faults
        remarks += values.remarks
    }

    /// A failure with the origin and the name of the setting that caused it.
    ///
    /// The setting is the one with the longest value that occurs in the text. Returns nil if there is none, or if the
    /// value is from the command line.
    package func fault(behind text: String) -> String? {
        let named = entries.flatMap { name, entry in
            entry.values.map { (name: name, origin: entry.origin, value: $0.prefix { $0 != ";" }) }
        }
        // Values that are not paths or addresses could occur by chance, so they count only in quotes.
        let found = named.filter { entry in
            let isPlace = entry.value.count > 1 && entry.value.contains { "/:".contains($0) }
            return isPlace && text.contains(entry.value) || text.contains("'\(entry.value)'")
        }
        guard let longest = found.max(by: { $0.value.count < $1.value.count }), longest.origin != .option else {
            return nil
        }
        let isNamed = text.hasPrefix("\(longest.name): ")
        return "\(longest.origin): \(isNamed ? "" : "\(longest.name): ")\(text)"
    }

    /// The values of the file and the environment as command-line options.
    ///
    /// Settings that are on the command line are left out.
    package var arguments: [String] {
        Setting.all.flatMap { setting -> [String] in
            guard let entry = entries[setting.name], entry.origin != .option else { return [] }
            if setting.kind == .flag { return entry.values == ["true"] ? ["--\(setting.name)"] : [] }
            return entry.values.map { "--\(setting.name)=\($0)" }
        }
    }

    /// The effective values of all settings with their origins, in the order of ``Setting/all``.
    package var listing: [(setting: Setting, values: [String], origin: SettingOrigin)] {
        Setting.all.map { setting in
            guard let entry = entries[setting.name] else {
                return (setting, setting.defaultValue.map { [$0] } ?? [], .default)
            }
            return (setting, entry.values.map(Self.redacted), entry.origin)
        }
    }

    /// Replaces the secrets of a URL: user name and password, and the query.
    ///
    /// The options of an output, after a semicolon, contain no secrets.
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

    /// Parses the options of a command line with their values: `--name value`, `--name=value`, `--flag`.
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
