import Agent
import ArgumentParser
import Foundation

/// `weir doctor`: checks which features of Weir this machine supports.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Look at what a run needs: kernel, privileges, limits, other programs, API server, outputs.",
        discussion: """
            A line for each thing: ok, degraded (Weir works, and something is missing) or missing (Weir does not work), with \
            what that costs and what to do. Takes the options of weir run, and its configuration file, and looks at what \
            they name. Nothing is changed and nothing stays attached: programs are loaded and let go; with --collect process \
            those for sockets are attached for a moment, and note the owners of existing sockets.

            Exit codes: 0 all is well, 1 something is degraded, 3 something is missing.

            Examples:
              sudo weir doctor
              sudo weir doctor --kubernetes --output tcp:collector:5170
              sudo weir doctor --json | jq -r '.[] | select(.status != "ok") | .fix'
            """
    )

    @Flag(help: "One JSON array of objects: name, status, seen, cost, fix.")
    var json = false

    @Argument(parsing: .allUnrecognized, help: ArgumentHelp("Options of weir run.", valueName: "options"))
    var options: [String] = []

    func run() throws {
        let run = try RunCommand.parse(Launch.arguments(for: options))
        let configuration = try run.agentConfiguration()
        let audit = try run.audit.examined(keepsChanges: run.store.store != nil || run.extendedFields)
        var examinations = Doctor(configuration, audit: audit, running: Self.running(configuration)).examine()
        if let store = run.store.store { examinations.append(Self.examine(store: store)) }
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            printJSON(String(decoding: try encoder.encode(examinations), as: UTF8.self))
        } else {
            print(examinations.text, terminator: "")
        }
        switch examinations.status {
        case .ok: return
        case .degraded: throw ExitCode(1)
        case .missing: throw ExitCode(3)
        }
    }

    /// Examines the folder of the store.
    private static func examine(store: String) -> Examination {
        let folder = store.lastIndex(of: "/").map { String(store[...$0]) } ?? "."
        return Doctor.folder("store", folder, cost: "no history for weir query, weir top and the page")
    }

    /// The socket of a running agent with these settings; nil if none answers.
    private static func running(_ configuration: AgentConfiguration) -> String? {
        guard let path = configuration.server?.socketPath else { return nil }
        let agent = AgentSocket(path: path)
        guard agent.presence == .answers, let answer = try? agent.get("/debug/status"), answer.status == 200 else {
            return nil
        }
        return "unix:\(path)"
    }
}
