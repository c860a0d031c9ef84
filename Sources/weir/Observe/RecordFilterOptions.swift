import ArgumentParser
import Filter
import Query
import FlowModel

/// Options that select records; shared by all commands that show records.
///
/// The values of one option are alternatives; all options must match.
struct RecordFilterOptions: ParsableArguments {
    @Option(name: [.customShort("n"), .customLong("namespace")], help: "Either end is in this namespace. Repeatable.")
    var namespaces: [String] = []

    @Option(
        name: .customLong("pod"),
        help: ArgumentHelp(
            "Either end is this pod or workload: its name, or the name without generated parts. Repeatable.",
            valueName: "[namespace/]name"
        )
    )
    var pods: [String] = []

    @Option(
        name: .customLong("service"),
        help: ArgumentHelp("This service was called. Repeatable.", valueName: "[namespace/]name")
    )
    var services: [String] = []

    @Option(
        name: .customLong("label"),
        help: ArgumentHelp("Either end has this label. Repeatable.", valueName: "key[=value]")
    )
    var labels: [String] = []

    @Option(
        name: .customLong("ip"),
        help: ArgumentHelp("Either end has an address in this prefix. Repeatable.", valueName: "address[/bits]")
    )
    var addresses: [String] = []

    @Option(name: .customLong("port"), help: "Either end has this port. Repeatable.")
    var ports: [UInt16] = []

    @Option(name: .customLong("protocol"), help: "tcp, udp, sctp, icmp, icmp6 or a number. Repeatable.")
    var protocols: [String] = []

    @Flag(help: "Only what was denied.")
    var denied = false

    @Flag(help: "Only what was allowed.")
    var allowed = false

    @Option(
        name: .customLong("policy"),
        help: ArgumentHelp(
            "A policy whose name contains this was evaluated, in force or staged. Repeatable.",
            valueName: "text"
        )
    )
    var policies: [String] = []

    @Option(
        name: .customLong("filter"),
        help: ArgumentHelp(
            "An expression over all fields, as in 'bytes_out > 1000 && dest_port == 443'.",
            valueName: "expr"
        )
    )
    var expression: String?

    func validate() throws {
        guard !denied || !allowed else {
            throw ValidationError("--denied and --allowed: give one of them, or none for both")
        }
        do {
            _ = try filter()
        } catch let error as FilterError {
            throw ValidationError("--filter: \(error)")
        }
    }

    /// The filter that the options specify.
    func filter() throws -> Filter { try Filter(text()) }

    /// The text of the filter; empty if all records match.
    func text() throws -> String {
        var parts: [String] = []
        func add(_ alternatives: [String]) {
            if !alternatives.isEmpty { parts.append("(\(alternatives.joined(separator: " || ")))") }
        }
        add(try namespaces.map { "namespace == \(try quoted($0, "--namespace"))" })
        add(try pods.flatMap { try pod($0) })
        add(try services.map(service))
        add(try labels.map(label))
        add(try addresses.map { "ip == \(try quoted($0, "--ip"))" })
        add(ports.map { "port == \($0)" })
        add(try protocols.map { "proto == \(try quoted($0, "--protocol"))" })
        add(try policies.map { "policies contains \(try quoted($0, "--policy"))" })
        if denied { parts.append("action == \"deny\"") }
        if allowed { parts.append("action == \"allow\"") }
        if let expression, !expression.isEmpty { parts.append(parts.isEmpty ? expression : "(\(expression))") }
        return parts.joined(separator: " && ")
    }

    private func pod(_ text: String) throws -> [String] {
        let (namespace, name) = Self.parts(text)
        let whole = try quoted(name, "--pod")
        let begin = try quoted("\(name)-", "--pod")
        return try ["source", "dest"].map { end in
            let names =
                "(\(end)_name == \(whole) || \(end)_name_aggr == \(whole) || \(end)_name starts with \(begin) "
                + "|| \(end)_name_aggr starts with \(begin))"
            guard let namespace else { return names }
            return "(\(end)_namespace == \(try quoted(namespace, "--pod")) && \(names))"
        }
    }

    private func service(_ text: String) throws -> String {
        let (namespace, name) = Self.parts(text)
        let question = "dest_service_name == \(try quoted(name, "--service"))"
        guard let namespace else { return question }
        return "(dest_service_namespace == \(try quoted(namespace, "--service")) && \(question))"
    }

    private func label(_ text: String) throws -> String {
        let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
        guard let key = parts.first, !key.isEmpty else {
            throw ValidationError("--label \(text): write it as key=value")
        }
        let name = "labels[\(try quoted(key, "--label"))]"
        return parts.count == 2 ? "\(name) == \(try quoted(parts[1], "--label"))" : "has(\(name))"
    }

    private static func parts(_ text: String) -> (namespace: String?, name: String) {
        let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
        return parts.count == 2 ? (parts[0], parts[1]) : (nil, text)
    }

    /// A text as a string of the filter language.
    private func quoted(_ text: String, _ option: String) throws -> String {
        guard !text.isEmpty else { throw ValidationError("\(option): the text is empty") }
        return FilterText.quoted(text)
    }
}
