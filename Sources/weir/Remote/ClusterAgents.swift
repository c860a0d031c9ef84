import ClusterSource
import Foundation
import Screen
import Synchronization

/// Follows the records of all agents of a cluster through the API server's pod proxy.
struct ClusterAgents: Sendable {
    /// An agent's pod.
    struct Pod: Sendable, Equatable {
        /// Its name.
        var name: String
        /// The node that it runs on.
        var node: String
        /// The agent's HTTP port.
        var port: Int
        /// The reason why it cannot answer; nil if it can.
        var problem: String?
    }

    /// The API server.
    let reader: ClusterReader
    /// The namespace of the agents.
    let namespace: String
    /// The nodes to query; empty for all.
    let nodes: Set<String>
    /// The token that agents require; nil for none.
    let token: String?
    /// The filter that selects the records.
    let filter: String
    /// The screen that shows the records.
    let screen: LiveScreen

    private static let labels = "app.kubernetes.io/name=weir"
    /// The maximum time without data; an agent sends a heartbeat every 5 s.
    private static let silence = Duration.seconds(20)
    private static let listPause = Duration.seconds(15)
    private static let longestPause = 16
    private static let steady = Duration.seconds(30)

    /// Follows the agents until the task is cancelled.
    ///
    /// - Returns: the reason why no agent can be followed.
    func run() async -> CommandFailure? {
        let table = PodTable()
        do throws(ClusterReader.Failure) {
            table.replace(try await list())
        } catch {
            return CommandFailure(
                description: "agents in namespace \(namespace): API server \(reader.place): \(refusal(error))"
            )
        }
        guard !table.nodes.isEmpty else {
            return CommandFailure(
                description: "there are no pods with \(Self.labels) in namespace \(namespace): give --agents NAMESPACE"
            )
        }
        let found = table.nodes.filter(isWanted).sorted()
        screen.note("\(found.count) of \(table.nodes.count) agents: \(Self.names(found))")
        for node in nodes.subtracting(table.nodes).sorted() {
            screen.note("\(TerminalText.neutralized(node)): no agent runs there")
        }
        await withTaskGroup(of: Void.self) { group in
            var known: Set<String> = []
            while !Task.isCancelled {
                for node in table.nodes.filter(isWanted).sorted() where known.insert(node).inserted {
                    group.addTask { await follow(node, table) }
                }
                guard (try? await Task.sleep(for: Self.listPause)) != nil else { break }
                if let pods = try? await list() { table.replace(pods) }
            }
            group.cancelAll()
        }
        return nil
    }

    private func isWanted(_ node: String) -> Bool { nodes.isEmpty || nodes.contains(node) }

    private static func names(_ nodes: [String]) -> String {
        let first = nodes.prefix(8).map(TerminalText.neutralized).joined(separator: ", ")
        return nodes.count > 8 ? "\(first) and \(nodes.count - 8) more" : first
    }

    /// Reads the records of one agent and reconnects when the stream ends; reports the error when it changes.
    private func follow(_ node: String, _ table: PodTable) async {
        var reported: String?
        var pause = 1
        while !Task.isCancelled {
            let lines = SharedReader()
            let hadFailed = reported != nil
            let began = ContinuousClock.now
            let reason = await read(node, table) { piece in
                let (found, isBeginning) = lines.take(piece)
                if hadFailed, isBeginning { screen.note("\(TerminalText.neutralized(node)) answers again") }
                screen.take(found, from: node)
            }
            guard !Task.isCancelled else { return }
            if !lines.isFirst { reported = nil }
            // Only a long stream resets the pause, so that an agent that ends its streams early is retried less often.
            if began + Self.steady < .now { pause = 1 }
            if reported != reason { screen.note("\(TerminalText.neutralized(node)) does not answer: \(reason)") }
            reported = reason
            try? await Task.sleep(for: .seconds(pause))
            pause = min(pause * 2, Self.longestPause)
        }
    }

    private func read(
        _ node: String,
        _ table: PodTable,
        _ take: @escaping @Sendable ([UInt8]) -> Void
    ) async -> String {
        guard let pod = table[node] else { return "no agent runs there any more" }
        if let problem = pod.problem { return problem }
        let path =
            "/api/v1/namespaces/\(QueryPart.encoded(namespace))/pods/\(QueryPart.encoded(pod.name)):\(pod.port)"
            + "/proxy/api/v1/live?filter=\(QueryPart.encoded(filter))"
        do throws(ClusterReader.Failure) {
            try await reader.stream(path, headers: token.map { [("X-Weir-Token", $0)] } ?? [], silence: Self.silence) {
                take($0)
                return true
            }
            return "its agent ended"
        } catch {
            return Self.text(error)
        }
    }

    /// The reason why the agents are unknown, and the remedy.
    private func refusal(_ failure: ClusterReader.Failure) -> String {
        switch failure {
        case .refused(401, _): "it does not take the credentials (401); renew those of the kubeconfig"
        case .refused(403, let reason):
            TerminalText.neutralized(reason.isEmpty ? "forbidden" : reason)
                + " (needed: list pods in namespace \(TerminalText.neutralized(namespace)))"
        case .refused(let status, let reason):
            "HTTP status \(status)"
                + (reason.isEmpty ? "" : ": \(TerminalText.neutralized(String(reason.prefix(200))))")
        case .transport(let reason):
            TerminalText.neutralized(String(reason.prefix(300)))
                + (reason.contains("; ") ? "" : "; check the address in the kubeconfig, and the way there")
        }
    }

    private static func text(_ failure: ClusterReader.Failure) -> String {
        switch failure {
        case .refused(401, _):
            "the agent requires a token, or the API server refuses the credentials: --token-file"
        case .refused(403, let reason):
            TerminalText.neutralized(reason.isEmpty ? "not allowed" : reason) + " (needed: get pods/proxy)"
        case .refused(502...504, let reason):
            "the API server does not reach it"
                + (reason.isEmpty ? "" : ": \(TerminalText.neutralized(String(reason.prefix(200))))")
                + "; agents must answer on the node's address: --http, in the chart monitoring.enabled"
        default: TerminalText.neutralized(String("\(failure)".prefix(300)))
        }
    }

    // MARK: Pods

    private struct PodList: Decodable {
        struct Item: Decodable {
            struct Metadata: Decodable { var name: String }
            struct Port: Decodable {
                var name: String?
                var containerPort: Int
            }
            struct Container: Decodable { var ports: [Port]? }
            struct Spec: Decodable {
                var nodeName: String?
                var containers: [Container]
            }
            struct Status: Decodable { var phase: String? }
            var metadata: Metadata
            var spec: Spec
            var status: Status?
        }
        var items: [Item]
    }

    private func list() async throws(ClusterReader.Failure) -> [Pod] {
        let path =
            "/api/v1/namespaces/\(QueryPart.encoded(namespace))/pods?labelSelector=\(QueryPart.encoded(Self.labels))"
        let body = try await reader.content(path, upTo: 256 << 20)
        guard let list = try? JSONDecoder().decode(PodList.self, from: Data(body)) else {
            throw .transport("its answer is no list of pods; is it an API server?")
        }
        return list.items.compactMap { item in
            guard let node = item.spec.nodeName, !node.isEmpty else { return nil }
            let ports = item.spec.containers.flatMap { $0.ports ?? [] }
            let phase = item.status?.phase ?? "Running"
            return Pod(
                name: item.metadata.name,
                node: node,
                port: ports.first { $0.name == "http" }?.containerPort ?? 9464,
                problem: phase == "Running" ? nil : "its pod is \(phase)"
            )
        }
    }
}

/// The agents of a cluster by node, from the most recent list.
private final class PodTable: Sendable {
    private let pods = Mutex<[String: ClusterAgents.Pod]>([:])

    var nodes: Set<String> { pods.withLock { Set($0.keys) } }

    subscript(node: String) -> ClusterAgents.Pod? { pods.withLock { $0[node] } }

    /// Replaces the list; of two pods on a node, as during an update, the running one is kept.
    func replace(_ list: [ClusterAgents.Pod]) {
        let table = Dictionary(list.map { ($0.node, $0) }) { $0.problem == nil ? $0 : $1 }
        pods.withLock { $0 = table }
    }
}
