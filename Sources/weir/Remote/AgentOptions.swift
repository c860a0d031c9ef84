import ArgumentParser
import Foundation
import Server

/// The agents to query.
struct AgentOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The socket of this host's agent.", valueName: "path"))
    var socket = HTTPServerConfiguration.defaultSocketPath

    @Option(
        name: .customLong("node"),
        help: ArgumentHelp("With --kubeconfig: only the agents of these nodes. Repeatable.", valueName: "name")
    )
    var nodes: [String] = []

    @Option(help: ArgumentHelp("With --kubeconfig: the namespace of the agents.", valueName: "namespace"))
    var agents = "weir-system"

    @Option(help: ArgumentHelp("With --kubeconfig: a file with the agents' token.", valueName: "path"))
    var tokenFile: String?

    func validate() throws {
        guard socket.hasPrefix("/") else { throw ValidationError("--socket '\(socket)': an absolute path is needed") }
        guard !agents.isEmpty else { throw ValidationError("--agents: the namespace is empty") }
        guard !nodes.contains("") else { throw ValidationError("--node: the name is empty") }
    }

    /// The token from the file; nil if no file is given.
    ///
    /// - Throws: `CommandFailure` if the file contains no token.
    func token() throws -> String? {
        guard let tokenFile else { return nil }
        let bytes: [UInt8]
        do throws(ServerError) { bytes = try SecretFile.read(tokenFile) } catch {
            throw CommandFailure(description: "--token-file \(error)")
        }
        let token = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard !token.isEmpty, token.utf8.allSatisfy({ 0x21...0x7e ~= $0 }) else {
            throw CommandFailure(description: "--token-file \(tokenFile): a token is one line of printable characters")
        }
        return token
    }
}
