/// The origin of a value; later cases override earlier ones.
package enum SettingOrigin: Sendable, Hashable, CustomStringConvertible {
    /// The default.
    case `default`
    /// A line of the file; 0 stands for the file as a whole.
    case file(path: String, line: Int)
    /// A variable of the environment.
    case environment(String)
    /// An option of the command line.
    case option

    /// The place in the order in which sources are read: later ones override earlier ones.
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

/// A fault of a setting: one line with place, name and reason.
package struct SettingFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// The place; nil if it does not help.
    package var origin: SettingOrigin
    /// The reason, and what to do.
    package var reason: String

    /// Takes both.
    package init(_ origin: SettingOrigin, _ reason: String) {
        self.origin = origin
        self.reason = reason
    }

    /// A text such as `/etc/weir/weir.yaml:12: flush-interval: '5x' is no time; write it like 500ms, 10s, 5m or 1h`.
    package var description: String { "\(origin): \(reason)" }
}

/// Values that one source gives to settings.
package struct SettingValues: Sendable {
    /// The values of a setting, and their origin.
    package struct Entry: Sendable, Hashable {
        /// The values: one, or several of a repeatable setting; of a flag `true` or `false`.
        package var values: [String]
        /// Their origin.
        package var origin: SettingOrigin

        /// Takes both.
        package init(_ values: [String], _ origin: SettingOrigin) {
            self.values = values
            self.origin = origin
        }
    }

    /// Entries by the setting's name.
    package var entries: [String: Entry] = [:]
    /// The values that cannot be used.
    package var faults: [SettingFault] = []
    /// The entries that are ignored, one line each.
    package var remarks: [String] = []

    /// Settings whose values are combined from several parameters of Felix.
    var composed: Set<String> = []

    /// Makes an empty set of values.
    package init() {}

    /// Adds the values of a setting, or their fault.
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
