import ArgumentParser
import Foundation
import Settings

/// What the command line, the environment and the settings file say together.
enum Launch {
    /// What is set for a run with these options.
    static func settings(for options: [String]) -> ResolvedSettings {
        ResolvedSettings(arguments: options, environment: ProcessInfo.processInfo.environment)
    }

    /// The options of a run: those of file and environment, and behind them those of the command line.
    ///
    /// - Throws: `SettingsFailure` if something that is set cannot be used.
    static func arguments(for options: [String]) throws -> [String] {
        let settings = settings(for: options)
        guard settings.faults.isEmpty else { throw SettingsFailure(settings.faults) }
        // What is wrong by itself on the command line is the parser's to say.
        if (try? RunCommand.parse(options)) != nil { _ = try settings.parsed(with: options) }
        return settings.arguments + options
    }

    /// The words of the whole command line; those of `weir run` with what file and environment say.
    ///
    /// - Throws: as ``arguments(for:)``.
    static func commandLine(_ words: [String]) throws -> [String] {
        let asksForHelp = words.contains { ["--help", "-h", "--version", "--experimental-dump-help"].contains($0) }
        guard words.first == "run", !asksForHelp else { return words }
        return ["run"] + (try arguments(for: Array(words.dropFirst())))
    }
}

/// What is wrong with settings, a line each.
struct SettingsFailure: Error, CustomStringConvertible {
    let faults: [SettingFault]

    init(_ faults: [SettingFault]) {
        self.faults = faults
    }

    var description: String { faults.map(\.description).joined(separator: "\nerror: ") }
}

extension ArgumentHelp {
    /// The help of a setting's option.
    ///
    /// - Parameters:
    ///   - name: the setting's.
    ///   - showsDefault: whether the default is to be said; the parser does it by itself where it knows one.
    /// - Returns: the help.
    static func setting(_ name: String, showsDefault: Bool = false) -> ArgumentHelp {
        guard let setting = Setting.named(name) else { preconditionFailure("no setting \(name)") }
        var text = setting.help
        if setting.isRepeatable { text += " Repeatable." }
        if showsDefault, let value = setting.defaultValue { text += " Default: \(value)." }
        return ArgumentHelp(text, valueName: setting.valueName)
    }
}
