import FlowModel

extension SettingValues {
    /// Reads `WEIR_…` variables, and those `FELIX_…` variables that correspond to settings.
    ///
    /// Commas separate several values; line breaks separate outputs.
    ///
    /// Other `WEIR_…` variables are ignored with a remark. Variables that Kubernetes makes for a service named `weir` are
    /// ignored without one.
    package init(environment: [String: String]) {
        self.init()
        let names = Dictionary(uniqueKeysWithValues: Setting.all.map { ($0.variable, $0) })
        for (name, value) in environment.sorted(by: { $0.key < $1.key }) {
            if let setting = names[name] {
                set(setting, Self.values(value, setting), .environment(name), as: name)
            } else if name.hasPrefix("WEIR_"), !Self.isOfService(name) {
                let nearest = EditDistance.nearest(to: name, among: names.keys.sorted())
                remarks.append("\(name) is no setting, and not used" + (nearest.map { "; did you mean \($0)?" } ?? ""))
            }
        }
        for (name, value) in environment.sorted(by: { $0.key < $1.key }) where name.uppercased().hasPrefix("FELIX_") {
            takeFelix(String(name.dropFirst(6)), value, .environment(name), as: name)
        }
    }

    /// Takes over a Felix parameter, unless the setting already has a value of Weir's own.
    mutating func takeFelix(_ parameter: String, _ value: String, _ origin: SettingOrigin, as name: String) {
        let lowercased = parameter.lowercased()
        guard let alias = FelixAliases.alias(parameter), let setting = Setting.named(alias.setting) else {
            guard lowercased.hasPrefix("flowlogs") else { return }
            guard !FelixAliases.alwaysOn.contains(lowercased) || Setting.flag(value) == false else { return }
            remarks.append("\(name) has no counterpart in Weir, and is not used")
            return
        }
        guard entries[setting.name] == nil || composed.contains(setting.name) else { return }
        guard let translated = alias.translate(value) else {
            faults.append(SettingFault(origin, "\(name): '\(value)' cannot be read as \(setting.name)"))
            return
        }
        guard composed.contains(setting.name) else {
            set(setting, [translated], origin, as: name)
            if alias.isPart { composed.insert(setting.name) }
            return
        }
        entries[setting.name]?.values.append(translated)
    }

    private static func values(_ text: String, _ setting: Setting) -> [String] {
        guard setting.isRepeatable else { return [text] }
        // Commas may occur in an output's filter.
        let separator: Character = setting.group == .outputs ? "\n" : ","
        return text.split(separator: separator, omittingEmptySubsequences: false).map { part in
            var part = part
            while part.first == " " { part.removeFirst() }
            while part.last == " " { part.removeLast() }
            return String(part)
        }
    }

    /// Whether Kubernetes made the variable for a service (`WEIR_SERVICE_HOST`, `WEIR_PORT_9464_TCP_ADDR`).
    private static func isOfService(_ name: String) -> Bool {
        name.contains("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || name.hasSuffix("_PORT")
            || name.contains("_PORT_")
    }
}
