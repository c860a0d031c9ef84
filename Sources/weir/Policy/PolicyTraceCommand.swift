import ArgumentParser
import ClusterModel
import FlowModel
import Foundation
import Policy

extension PolicyCommand {
    /// `weir policy trace`.
    struct Trace: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what policies decide for a connection, and why.",
            discussion: """
                Egress of the end that begins and ingress of the end that is called, each with the hits that a record \
                would have: of the policies in force (enforced), and as if staged policies were in force (pending). \
                For each hit: tier, policy, rule and why it matched; where no rule matched, what was missing.

                Without a port or an ICMP type, rules that require one do not match. A service, by its name or \
                address, is evaluated at each of its backends. A node always reaches its own pods, and a pod itself. \
                Replies belong to their connection and are not evaluated.

                Where nodes forward the connection, each of their host endpoints with policies for forwarded traffic \
                is evaluated, because routes are not known; it decides only if the connection passes its interface.

                With --flows, each line of the file is a JSON object with from, to and, if known, protocol, port, \
                source_port, icmp_type, icmp_code, domain, or a record that Weir wrote; the answers come as JSON, a line each, \
                in the same order. A bad line has {"error":…,"line":N} in its place, and the exit code is 1; a record \
                whose names or port are aggregated, or whose reporter is a host that forwards (fwd), has \
                {"untraceable":…,"line":N}, and is counted.

                With --expect the exit code is 0 if everything is decided as expected, and else 1.

                Examples:
                  weir policy trace --inventory cluster.yaml \\
                    --from shop/cart-1 --to shop/db-0 --port 5432
                  weir policy trace --kubeconfig ~/.kube/config \\
                    --from 203.0.113.7 --to shop/web-1 --port 443 --json
                  weir policy trace --inventory cluster.yaml --expect allow \\
                    --from shop/cart-1 --to svc/db --port 5432
                  weir policy trace --inventory cluster.yaml \\
                    --from shop/cart-1 --to 10.0.1.9 --protocol icmp --icmp-type 8
                  echo '{"from":"shop/cart-1","to":"shop/db-0","protocol":"tcp","port":5432}' |
                    weir policy trace --inventory cluster.yaml --flows -
                  weir policy trace --inventory cluster.yaml --flows flows.log
                """
        )

        @OptionGroup var inventory: InventoryQueryOptions

        @Option(
            help: ArgumentHelp("Who begins: a pod as NAMESPACE/POD, or an address.", valueName: "end"),
            transform: PolicyEndName.argument
        )
        var from: PolicyEndName?

        @Option(
            help: ArgumentHelp(
                "Who is called: the same, or a service as NAMESPACE/SERVICE, svc/SERVICE or by its address.",
                valueName: "end"
            ),
            transform: PolicyEndName.argument
        )
        var to: PolicyEndName?

        @Option(
            help: ArgumentHelp(
                "The port that is called, by number or, of a service or pod, by name.",
                valueName: "port"
            ),
            transform: PortArgument.init(parsing:)
        )
        var port: PortArgument?

        @Option(help: ArgumentHelp("The port of the end that begins.", valueName: "number"), transform: Self.port)
        var sourcePort: UInt16?

        @Option(
            name: .customLong("protocol"),
            help: ArgumentHelp(
                "tcp, udp, sctp, icmp, icmp6 or a number from 1 to 255. Default: tcp.",
                valueName: "name"
            ),
            transform: Self.proto
        )
        var proto: IPProtocol?

        @Option(help: ArgumentHelp("The type of the ICMP message: 8 for a ping, 128 in ICMPv6.", valueName: "number"))
        var icmpType: UInt8?

        @Option(help: ArgumentHelp("Its code. Default: 0.", valueName: "number"))
        var icmpCode: UInt8?

        @Option(
            help: ArgumentHelp(
                "A domain name that DNS gives to the destination's address, for rules that ask for one. Repeatable.",
                valueName: "name"
            ),
            transform: Self.domain
        )
        var destinationDomain: [String] = []

        @Option(
            help: ArgumentHelp("Evaluate each line of a file, or of standard input for '-'.", valueName: "path")
        )
        var flows: String?

        @Option(
            help: ArgumentHelp(
                "How hits are written: namespace/tier.name, or np:namespace/name as Calico does from 3.32 on.",
                valueName: "format"
            )
        )
        var policyFormat = PolicyFormat.enterprise

        @Option(
            help: ArgumentHelp(
                "Exit with 1 unless all of it is allowed (allow), or all of it denied (deny).",
                valueName: "action"
            )
        )
        var expect: PolicyExpectation?

        @Flag(help: "One JSON object: what is decided at src and dst, null for an end that has no policies.")
        var json = false

        func validate() throws {
            if let flows {
                guard !flows.isEmpty else { throw ValidationError("--flows: the path is empty") }
                guard from == nil, to == nil, port == nil, sourcePort == nil, proto == nil, icmpType == nil,
                    icmpCode == nil, destinationDomain.isEmpty
                else {
                    throw ValidationError("--flows: the lines have source and destination; leave --from and --to out")
                }
                return
            }
            guard from != nil, to != nil else {
                throw ValidationError("source and destination are missing; give --from and --to, or --flows")
            }
            let proto = proto ?? .tcp
            guard proto.hasPorts || port == nil && sourcePort == nil else {
                throw ValidationError("--port, --source-port: protocol \(proto.name) has no ports")
            }
            guard proto.isICMP || icmpType == nil && icmpCode == nil else {
                throw ValidationError("--icmp-type, --icmp-code: these are of --protocol icmp and icmp6")
            }
            guard icmpType != nil || icmpCode == nil else {
                throw ValidationError("--icmp-code: a code means nothing without --icmp-type")
            }
        }

        func run() throws {
            let sources = try PolicySources(inventory, format: policyFormat, purpose: "policy trace")
            try sources.load()
            if let flows {
                var answers = PolicyFlowAnswers(sources.tracer, expect)
                try answers.run(flows)
            } else if let from, let to {
                try answer(PolicyConnection(from, to, self), sources)
            }
        }

        private func answer(_ connection: PolicyConnection, _ sources: PolicySources) throws {
            var tracer = sources.tracer
            let inquiry: PolicyTracer.Inquiry
            do throws(PolicyQuestionError) {
                inquiry = try tracer.inquiry(connection)
            } catch {
                throw CommandFailure(description: error.description + Self.hint(connection, tracer.directory))
            }
            let outcome: PolicyOutcome
            switch inquiry {
            case .connection(let question):
                var connection = connection
                if connection.portName != nil { connection.port = question.packets.destinationPort }
                outcome = try answer(connection, question, tracer, sources)
            case .service(let service): outcome = try answer(service, tracer, sources)
            }
            guard outcome.isAsExpected(expect) else {
                if let expect { Self.say("error: expected \(expect.rawValue), found \(outcome.words)") }
                throw ExitCode(1)
            }
        }

        private func answer(
            _ connection: PolicyConnection,
            _ question: PolicyTracer.Question,
            _ tracer: PolicyTracer,
            _ sources: PolicySources
        ) throws -> PolicyOutcome {
            let notes = PolicyTraceNotes(connection, question, tracer).lines
            let traces = tracer.traces(question)
            if json {
                for note in notes { Self.say("note: \(note)") }
                var json = PolicyTraceJSON()
                try Self.write(json.line(traces, tracer.transit(question)))
            } else {
                let text = PolicyTraceText(connection, question, tracer, place: sources.place)
                for line in text.lines + notes.map({ "note: \($0)" }) { print(line) }
            }
            return PolicyOutcome(traces, question, tracer)
        }

        private func answer(
            _ service: PolicyTracer.ServiceQuestion,
            _ tracer: PolicyTracer,
            _ sources: PolicySources
        ) throws -> PolicyOutcome {
            let answers = service.backends.map { (question: $0.question, traces: tracer.traces($0.question)) }
            let notes =
                (service.backends.first.map { backend in
                    PolicyTraceNotes(service.connection, backend.question, tracer).lines
                } ?? []) + service.notes
            if json {
                for note in notes { Self.say("note: \(note)") }
                var json = PolicyTraceJSON()
                try Self.write(json.line(service, answers, tracer))
            } else {
                let text = PolicyServiceText(service, tracer, place: sources.place)
                for line in text.lines + notes.map({ "note: \($0)" }) { print(line) }
            }
            return PolicyOutcome(answers.map { PolicyOutcome($0.traces, $0.question, tracer) })
        }

        private static func write(_ line: [UInt8]) throws {
            var output = OutputBuffer()
            output.appendJSON(line)
            try output.flush()
        }

        private static func say(_ line: String) {
            complain(line)
        }

        /// Suggestions for a name that does not exist.
        private static func hint(_ connection: PolicyConnection, _ directory: PolicyDirectory) -> String {
            for case .named(let name) in [connection.source, connection.destination]
            where directory.pod(name) == nil && !directory.isService(name) {
                let near = directory.names(near: name)
                return near.isEmpty ? "" : "; near it: \(near.joined(separator: ", "))"
            }
            return ""
        }

        // MARK: Arguments

        /// A port, by number or by name.
        struct PortArgument {
            var number: UInt16?
            var name: String?

            /// Parses a number, or a name as pods and services have it.
            init(parsing text: String) throws {
                if ObjectName.isPort(text) {
                    name = text
                } else if text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }) {
                    number = try Trace.port(text)
                } else {
                    throw ValidationError("'\(text)' is no port; it is a number from 1 to 65535, or the name of a port")
                }
            }
        }

        private static func port(_ text: String) throws -> UInt16 {
            guard text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let port = UInt16(text), port > 0 else {
                throw ValidationError("'\(text)' is no port; it is a number from 1 to 65535")
            }
            return port
        }

        private static func domain(_ text: String) throws -> String {
            let name = text.lowercased()
            guard !name.isEmpty, !name.contains("*"), !name.contains(where: \.isWhitespace) else {
                throw ValidationError("'\(text)' is no domain name; write one in full, as in www.example.com")
            }
            return name.hasSuffix(".") ? String(name.dropLast()) : name
        }

        private static func proto(_ text: String) throws -> IPProtocol {
            guard let proto = IPProtocol(policyText: text) else {
                throw ValidationError("'\(text)' is no protocol; it is tcp, udp, sctp, icmp, icmp6 or a number to 255")
            }
            return proto
        }
    }
}

extension PolicyConnection {
    /// Takes the options.
    fileprivate init(_ from: PolicyEndName, _ to: PolicyEndName, _ options: PolicyCommand.Trace) {
        source = from
        destination = to
        proto = options.proto ?? .tcp
        port = options.port?.number
        portName = options.port?.name
        sourcePort = options.sourcePort
        icmpType = options.icmpType
        icmpCode = options.icmpCode
        domains = options.destinationDomain.isEmpty ? nil : options.destinationDomain
    }
}
