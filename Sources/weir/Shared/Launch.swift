import ArgumentParser
import Foundation
import Settings

/// Merges the command line, the environment and the settings file.
enum Launch {
    /// The settings of a run with these options.
    static func settings(for options: [String]) -> ResolvedSettings {
        ResolvedSettings(arguments: options, environment: ProcessInfo.processInfo.environment)
    }

    /// The options of a run: those of the file and the environment, followed by those of the command line.
    ///
    /// - Throws: `SettingsFailure` if a setting is invalid.
    static func arguments(for options: [String]) throws -> [String] {
        let settings = settings(for: options)
        guard settings.faults.isEmpty else { throw SettingsFailure(settings.faults) }
        // Errors of the command line alone are reported by the parser.
        if (try? RunCommand.parse(options)) != nil { _ = try settings.parsed(with: options) }
        return settings.arguments + options
    }

    /// The words of the command line; for `weir run`, with the options of the file and the environment.
    ///
    /// - Throws: as ``arguments(for:)``.
    static func commandLine(_ words: [String]) throws -> [String] {
        let requestsHelp = words.contains { ["--help", "-h", "--version", "--experimental-dump-help"].contains($0) }
        guard words.first == "run", !requestsHelp else { return words }
        return ["run"] + (try arguments(for: Array(words.dropFirst())))
    }
}

/// The errors in settings, one per line.
struct SettingsFailure: Error, CustomStringConvertible {
    let faults: [SettingFault]

    init(_ faults: [SettingFault]) {
        self.faults = faults
    }

    var description: String { faults.map(\.description).joined(separator: "\nerror: ") }
}

extension ArgumentHelp {
    /// The help text of a setting's option.
    ///
    /// - Parameters:
    ///   - name: the name of the setting.
    ///   - showsDefault: whether to add the default; the parser adds it by itself if it is declared there.
    /// - Returns: the help text.
    static func setting(_ name: String, showsDefault: Bool = false) -> ArgumentHelp {
        guard let setting = Setting.named(name) else { preconditionFailure("no setting \(name)") }
        var text = setting.help
        if setting.isRepeatable { text += " Repeatable." }
        if showsDefault, let value = setting.defaultValue { text += " Default: \(value)." }
        return ArgumentHelp(text, valueName: setting.valueName)
    }
}
