import ArgumentParser
import Foundation
import Settings

/// `weir config`: shows settings, their sources, and the reference of all settings.
struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Show, check and explain the settings of weir run.",
        subcommands: [Show.self, Check.self, Reference.self]
    )

    /// `weir config show`.
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what would be in force, and where each value comes from.",
            discussion: """
                Takes the options of weir run. Passwords and parameters (?…) of URLs are not shown.

                Examples:
                  weir config show
                  weir config show --config /etc/weir/weir.yaml --flush-interval 1m
                  weir config show --json | jq -r '.[] | select(.origin != "default") | .name'
                """
        )

        @Flag(help: "One JSON array of objects: name, values, origin, reload.")
        var json = false

        @Argument(parsing: .allUnrecognized, help: ArgumentHelp("Options of weir run.", valueName: "options"))
        var options: [String] = []

        func run() throws {
            let settings = Launch.settings(for: options)
            guard settings.faults.isEmpty else { throw SettingsFailure(settings.faults) }
            _ = try settings.parsed(with: options)
            if json { printJSON(settings.json, terminator: "") } else { print(settings.text, terminator: "") }
        }
    }

    /// `weir config check`.
    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Look for mistakes in a settings file: a line with file, line, setting and reason for each.",
            discussion: """
                Exit codes: 0 it can be used, 1 it cannot.

                Examples:
                  weir config check
                  weir config check /etc/weir/weir.yaml
                """
        )

        @Argument(help: "The file. Default: WEIR_CONFIG, else /etc/weir/weir.yaml.")
        var path: String?

        func run() throws {
            let path = path ?? ProcessInfo.processInfo.environment["WEIR_CONFIG"] ?? ResolvedSettings.defaultPath
            let settings = ResolvedSettings(file: path)
            for remark in settings.remarks { print("\(path): \(remark)") }
            guard settings.faults.isEmpty else {
                throw CommandFailure(description: SettingsFailure(settings.faults).description)
            }
            do {
                _ = try settings.parsed()
            } catch {
                throw CommandFailure(description: "\(error)")
            }
            let count = settings.entries.count
            print("\(path): \(count) setting\(count == 1 ? ", it can be used" : "s, all can be used")")
        }
    }

    /// `weir config reference`.
    struct Reference: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Explain all settings: type, unit, range, default, and whether a change needs a restart.",
            discussion: """
                Examples:
                  weir config reference
                  weir config reference --yaml >/etc/weir/weir.yaml
                """
        )

        @Flag(help: "As a settings file in which everything is a comment, instead of Markdown.")
        var yaml = false

        func run() throws {
            print(yaml ? SettingsReference.yaml : SettingsReference.markdown, terminator: "")
        }
    }
}

extension ResolvedSettings {
    /// A line for each setting that has a value: name, value, and source.
    fileprivate var text: String {
        let rows = listing.filter { !$0.values.isEmpty }.map { row in
            (row.setting.name, row.values.joined(separator: ", "), "\(row.origin)")
        }
        let widths = (rows.map(\.0.count).max() ?? 0, rows.map(\.1.count).max() ?? 0)
        return rows.map { name, value, origin in
            let gap = String(repeating: " ", count: widths.0 - name.count + 2)
            return "\(name)\(gap)\(value)\(String(repeating: " ", count: widths.1 - value.count + 2))\(origin)\n"
        }.joined()
    }

    private struct Row: Codable {
        var name: String
        var values: [String]
        var origin: String
        var reload: String
    }

    /// The same as a JSON array on one line.
    var json: String {
        let rows = listing.map { setting, values, origin in
            Row(
                name: setting.name,
                values: values,
                origin: "\(origin)",
                reload: setting.reload == .live ? "live" : "restart"
            )
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let data = (try? encoder.encode(rows)) ?? Data("[]".utf8)
        return String(decoding: data, as: UTF8.self) + "\n"
    }
}
