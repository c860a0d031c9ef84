/// The source of a value; later cases override earlier ones.
package enum SettingOrigin: Sendable, Hashable, CustomStringConvertible {
    /// The default.
    case `default`
    /// A line of the file; 0 is the file as a whole.
    case file(path: String, line: Int)
    /// An environment variable.
    case environment(String)
    /// A command-line option.
    case option

    /// The rank of the source; a higher rank overrides a lower one.
    var rank: Int {
        switch self {
        case .default: 0
        case .file: 1
        case .environment: 2
        case .option: 3
        }
    }

    /// A text such as `/etc/weir/weir.yaml:12`.
    package var description: String {
        switch self {
        case .default: "default"
        case .file(let path, 0): path
        case .file(let path, let line): "\(path):\(line)"
        case .environment(let name): name
        case .option: "command line"
        }
    }
}

/// A fault of a setting: one line with its origin, the name and the reason.
package struct SettingFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// The origin of the value.
    package var origin: SettingOrigin
    /// The name of the setting, the reason and the remedy.
    package var reason: String

    /// Takes both.
    package init(_ origin: SettingOrigin, _ reason: String) {
        self.origin = origin
        self.reason = reason
    }

    /// A text such as `/etc/weir/weir.yaml:12: flush-interval: '5x' is no time; write it like 500ms, 10s, 5m or 1h`.
    package var description: String { "\(origin): \(reason)" }
}

/// The values that one source gives to settings.
package struct SettingValues: Sendable {
    /// The values of one setting, and their origin.
    package struct Entry: Sendable, Hashable {
        /// One value, or several of a repeatable setting; a flag is `true` or `false`.
        package var values: [String]
        /// The origin of the values.
        package var origin: SettingOrigin

        /// Takes both.
        package init(_ values: [String], _ origin: SettingOrigin) {
            self.values = values
            self.origin = origin
        }
    }

    /// Entries by the name of the setting.
    package var entries: [String: Entry] = [:]
    /// The values that are invalid.
    package var faults: [SettingFault] = []
    /// The entries that are ignored, one line each.
    package var remarks: [String] = []

    /// Settings whose values are collected from several Felix parameters.
    var composed: Set<String> = []

    /// Creates an empty set of values.
    package init() {}

    /// Adds the values of a setting, or a fault if they are invalid.
    mutating func set(_ setting: Setting, _ values: [String], _ origin: SettingOrigin, as name: String) {
        guard entries[setting.name] == nil else {
            faults.append(SettingFault(origin, "\(name): it is set twice"))
            return
        }
        guard setting.isRepeatable || values.count == 1 else {
            faults.append(SettingFault(origin, "\(name): one value is needed, not a list"))
            return
        }
        var clean: [String] = []
        for value in values {
            if let fault = setting.fault(in: value) {
                faults.append(SettingFault(origin, "\(name): \(fault)"))
                return
            }
            clean.append(setting.kind == .flag ? "\(Setting.flag(value) ?? false)" : value)
        }
        entries[setting.name] = Entry(clean, origin)
    }
}
