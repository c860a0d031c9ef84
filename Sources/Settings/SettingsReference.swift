/// The reference of all settings, generated from ``Setting/all``.
package enum SettingsReference {
    /// The reference as Markdown: for each group a heading, a table of its settings, and their effects.
    package static var markdown: String {
        var text = """
            # Settings of `weir run`

            The same name stands in the file (`flush-interval: 5m`), on the command line (`--flush-interval 5m`) and, in \
            capitals behind `WEIR_`, in the environment (`WEIR_FLUSH_INTERVAL=5m`). The command line goes before the \
            environment, the environment before the file (`--config PATH`, else `WEIR_CONFIG`, else \
            `\(ResolvedSettings.defaultPath)` if it exists). A setting with several values is a list in the file, is given \
            several times on the command line, and has commas (outputs: line breaks) in the environment. *Reload*: when a change of the file \
            comes into force; `live` is at once.


            """
        for group in Setting.Group.allCases {
            text += "## \(group.rawValue)\n\n| setting | values | default | reload |\n|---|---|---|---|\n"
            let settings = Setting.all.filter { $0.group == group }
            for setting in settings {
                let several = setting.isRepeatable ? "; several" : ""
                let isLive = setting.reload == .live ? "live" : "restart"
                text += "| `\(setting.name)` | \(cell(setting.typeDescription))\(several) "
                text += "| \(cell(setting.defaultValue ?? "none")) | \(isLive) |\n"
            }
            text += "\n"
            for setting in settings {
                text += "- **`\(setting.name)`**: \(setting.help)\(aliases(of: setting))\n"
            }
            text += "\n"
        }
        return text
    }

    /// The reference as a YAML file in which every setting is commented out.
    package static var yaml: String {
        var text = """
            # Settings of weir run (\(ResolvedSettings.defaultPath)). What stands here is what holds if nothing is set, or an
            # example. `weir config check` reads the file, `weir config show` says what is in force.

            """
        for group in Setting.Group.allCases {
            text += "\n# \(group.rawValue)\n"
            for setting in Setting.all where setting.group == group {
                text += "\n" + wrapped(setting.help)
                text += "# \(setting.typeDescription); default: \(setting.defaultValue ?? "none")"
                text += setting.reload == .live ? "; live\n" : "\n"
                text += "#\(example(of: setting))\n"
            }
        }
        return text
    }

    /// The setting as a line of the file.
    static func example(of setting: Setting) -> String {
        let value = setting.example ?? setting.defaultValue ?? ""
        let isWord = value.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || byte == 0x2f
                || byte == 0x2e || byte == 0x2d || byte == 0x5f
        }
        let quoted = isWord ? value : "'" + value.replacing("'", with: "''") + "'"
        return "\(setting.name): \(setting.isRepeatable ? "[\(quoted)]" : quoted)"
    }

    private static func aliases(of setting: Setting) -> String {
        let names = FelixAliases.all.filter { $0.setting == setting.name }.map { "`\($0.parameter)`" }
        return names.isEmpty ? "" : " Felix's \(names.joined(separator: ", ")) is read, too."
    }

    private static func cell(_ text: String) -> String { text.replacing("|", with: "\\|") }

    private static func wrapped(_ text: String) -> String {
        var lines = ""
        var line = "#"
        for word in text.split(separator: " ") {
            if line.count + word.count >= 110 {
                lines += line + "\n"
                line = "#"
            }
            line += " " + word
        }
        return lines + line + "\n"
    }
}
