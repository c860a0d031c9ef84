import Agent
import Foundation
import Screen

/// Follows the records of this host's agent, and reconnects after restarts of the agent.
struct AgentFollower: Sendable {
    /// The agent's socket.
    let socket: AgentSocket
    /// The filter that selects the records.
    let filter: String
    /// Receives the lines from the agent.
    let take: @Sendable ([LiveLineReader.Line]) -> Void
    /// Receives messages for the user: that the agent stopped or is available again.
    let note: @Sendable (String) -> Void

    /// Follows the agent and shows its lines on a screen.
    init(_ socket: AgentSocket, filter: String, on screen: LiveScreen) {
        self.init(socket, filter: filter, take: { screen.take($0) }, note: { screen.note($0) })
    }

    /// Takes all members.
    init(
        _ socket: AgentSocket,
        filter: String,
        take: @escaping @Sendable ([LiveLineReader.Line]) -> Void,
        note: @escaping @Sendable (String) -> Void
    ) {
        (self.socket, self.filter, self.take, self.note) = (socket, filter, take, note)
    }

    /// Reads until the task is cancelled or the agent refuses the request.
    ///
    /// - Returns: the reason for the refusal.
    func run() async -> CommandFailure? {
        var isGone = false
        let (take, note) = (take, note)
        while !Task.isCancelled {
            let reader = SharedReader()
            var reason = "it ended"
            do {
                let wasGone = isGone
                let uri = "/api/v1/live?filter=\(QueryPart.encoded(filter))"
                let refusal = try await socket.stream(uri) { piece in
                    let (lines, isBeginning) = reader.take(piece)
                    if wasGone, isBeginning { note("the agent is there again") }
                    take(lines)
                }
                if let refusal { return failure(refusal) }
            } catch {
                reason = "\(error)"
            }
            guard !Task.isCancelled else { break }
            if !isGone || !reader.isFirst {
                let time = ClockText.time(Int64(Date().timeIntervalSince1970), offset: 0)
                note("the agent has not answered since \(time) UTC: \(reason); waiting for it, Ctrl-C ends")
            }
            isGone = true
            try? await Task.sleep(for: .seconds(1))
        }
        return nil
    }

    private func failure(_ answer: AgentSocket.Answer) -> CommandFailure {
        CommandFailure(description: "\(socket.path): \(RemoteError.text(answer.status, answer.body))")
    }
}

/// The error response of an agent.
enum RemoteError {
    private struct Body: Decodable {
        struct Reason: Decodable { var message: String }
        var error: Reason
    }

    /// The reason of the refusal as text.
    static func text(_ status: Int, _ body: [UInt8]) -> String {
        if let body = try? JSONDecoder().decode(Body.self, from: Data(body)) {
            return TerminalText.neutralized(body.error.message)
        }
        switch status {
        case 401: return "the agent requires a token: --token-file PATH"
        case 404: return "this agent has no such answer: it is an older version"
        default: return "HTTP status \(status)"
        }
    }
}
