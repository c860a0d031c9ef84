import Agent
import ArgumentParser
import FlowModel
import Foundation
import Glibc

/// Ends the process after a failure with one line on standard error and an exit code.
enum Failure {
    private static let failed: Int32 = 1
    private static let usage: Int32 = 2
    private static let unsupported: Int32 = 3

    /// Prints the error and ends the process.
    static func exit(with error: any Error) -> Never {
        switch error {
        case let error as AgentError:
            say("error: \(placed(error))")
            Glibc.exit(error.isUnsupported ? unsupported : failed)
        case let error as CommandFailure:
            say("error: \(placed(error))")
            Glibc.exit(error.isUnsupported ? unsupported : failed)
        case let error as SettingsFailure:
            say("error: \(error)")
            Glibc.exit(usage)
        case let error as EmptyValue:
            say("error: \(error)")
            say("see: \(commandName) --help")
            Glibc.exit(usage)
        case let code as ExitCode:
            checkPrinted()
            Glibc.exit(code.rawValue)
        default:
            if Weir.exitCode(for: error).isSuccess || Weir.exitCode(for: error) == .validationFailure {
                exit(withParserError: error)
            }
            say("error: \(error)")
            Glibc.exit(failed)
        }
    }

    /// The error; for a run, with the location and the name of the setting.
    private static func placed(_ error: any Error) -> String {
        let words = CommandLine.arguments.dropFirst()
        guard words.first == "run" else { return "\(error)" }
        return Launch.settings(for: Array(words.dropFirst())).fault(behind: "\(error)") ?? "\(error)"
    }

    /// Handles an error of the argument parser: a request for help, or wrong usage.
    private static func exit(withParserError error: any Error) -> Never {
        if Weir.exitCode(for: error).isSuccess {
            print(Weir.fullMessage(for: error))
            checkPrinted()
            Glibc.exit(0)
        }
        say("error: \(unknownCommand ?? Weir.message(for: error))")
        say("see: \(commandName) --help")
        Glibc.exit(usage)
    }

    /// The name of the called command, from the leading words that are commands.
    private static var commandName: String {
        var name = "weir"
        var commands = Weir.configuration.subcommands
        for word in CommandLine.arguments.dropFirst() {
            guard let command = commands.first(where: { $0._commandName == word }) else { break }
            name += " " + word
            commands = command.configuration.subcommands
        }
        return name
    }

    /// The error if a word in the position of a command is not a command; nil otherwise.
    private static var unknownCommand: String? {
        var commands = Weir.configuration.subcommands
        var name = "weir"
        for word in CommandLine.arguments.dropFirst() {
            let names = commands.map { $0._commandName }
            guard !names.isEmpty, !word.hasPrefix("-"), word != "help" else { return nil }
            guard let command = commands.first(where: { $0._commandName == word }) else {
                let hint = EditDistance.nearest(to: word, among: names + ["help"]).map { "did you mean '\($0)'?" }
                return "\(name) has no command '\(word)'; \(hint ?? "it has \(names.joined(separator: ", "))")"
            }
            name += " \(word)"
            commands = command.configuration.subcommands
        }
        return nil
    }

    /// Ends the process with an error if its output could not be written.
    private static func checkPrinted() {
        do {
            try finishPrinting()
        } catch {
            say("error: \(error)")
            Glibc.exit(failed)
        }
    }

    private static func say(_ line: String) {
        complain(line)
    }
}

/// A failure of a command other than a run of the agent.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String
    var isUnsupported = false
}
