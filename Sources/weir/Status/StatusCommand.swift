import Agent
import ArgumentParser
import Foundation
import Server

/// `weir status`: shows the state of the running agent on one screen.
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show what this host's agent does, and what is wrong.",
        discussion: """
            What is watched, rates, the account, outputs, losses with what helps, the inventory, and what is wrong with \
            policies; from the agent's socket.

            Exit codes: 0 all is well, 1 no agent answers, or something is missing or wrong, 2 wrong usage.

            Examples:
              sudo weir status
              sudo weir status -o json | jq .account
            """
    )

    /// The output format.
    enum Format: String, ExpressibleByArgument, CaseIterable {
        /// Text for the terminal.
        case text
        /// A JSON object, as served by `/debug/status`.
        case json
    }

    @Option(help: ArgumentHelp("The socket of the agent.", valueName: "path"))
    var socket = HTTPServerConfiguration.defaultSocketPath

    @Option(name: [.customShort("o"), .customLong("output")], help: "text or json.")
    var format = Format.text

    func run() throws {
        let agent = AgentSocket(path: socket)
        switch agent.presence {
        case .answers: break
        case .absent:
            throw CommandFailure(
                description: "no agent answers at \(socket): start one (weir run), or give its --socket PATH"
            )
        case .refused(let reason): throw CommandFailure(description: "\(socket): \(reason)")
        }
        let answer = try agent.get("/debug/status")
        guard answer.status == 200 else {
            throw CommandFailure(description: "\(socket): \(RemoteError.text(answer.status, answer.body))")
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        guard let status = try? decoder.decode(AgentStatus.self, from: Data(answer.body)) else {
            throw CommandFailure(description: "\(socket): the agent is another version: its answer is not readable")
        }
        var output = OutputBuffer()
        switch format {
        case .json: output.appendJSON(answer.body)
        case .text: for line in StatusText(status).lines { output.append(line: line) }
        }
        try output.flush()
        if !status.isWell { throw ExitCode(1) }
    }
}

extension AgentStatus {
    /// Whether the agent has no fault, missing part or loss, its account is balanced, and all outputs are open.
    var isWell: Bool {
        ailments.isEmpty && missing.isEmpty && account.isBalanced && outputs.allSatisfy(\.isOpen)
            && !losses.contains(where: \.isMissing)
    }
}
