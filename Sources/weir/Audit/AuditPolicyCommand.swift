import ArgumentParser
import Audit
import ClusterSource
import Screen

/// The audit levels available for resources that policies do not need.
enum AuditOthers: String, ExpressibleByArgument, CaseIterable {
    case none, metadata
}

extension AuditCommand {
    /// `weir audit policy`: prints an audit policy for the API server.
    struct PolicyText: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "policy",
            abstract: "Print an audit policy for kube-apiserver, with a comment for each rule.",
            discussion: """
                It is of audit.k8s.io/v1 and records changes of what network policies are made of and select, with the objects. \
                docs/audit.md has the flags and mounts that go with it.

                Examples:
                  weir audit policy > /etc/kubernetes/audit-policy.yaml
                  weir audit policy --no-calico --others metadata
                """
        )

        @Flag(inversion: .prefixedNo, help: "Record Calico's kinds.")
        var calico = true

        @Flag(inversion: .prefixedNo, help: "Record cluster-wide policies of Kubernetes.")
        var adminPolicies = true

        @Flag(inversion: .prefixedNo, help: "Record services.")
        var services = true

        @Flag(help: "Record kubelets' updates of pods' status, which have addresses. They are most of all changes.")
        var status = false

        @Flag(help: "Keep managed fields, which make events about twice as long.")
        var managedFields = false

        @Option(help: "What is recorded of everything else, reads included: none or metadata.")
        var others = AuditOthers.none

        func run() {
            var policy = AuditPolicyText()
            policy.hasCalico = calico
            policy.hasAdminPolicies = adminPolicies
            policy.hasServices = services
            policy.hasStatus = status
            policy.keepsManagedFields = managedFields
            policy.others = others == .none ? .none : .metadata
            print(policy.text, terminator: "")
        }
    }

    /// `weir audit check`: shows what an existing audit policy records.
    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check what an audit policy records of the resources that matter, and what reports would miss.",
            discussion: """
                The exit code is 1 if there is an error: something that the API server refuses, that reports need and is not \
                recorded, or credentials that are.

                Example:
                  weir audit check /etc/kubernetes/audit-policy.yaml
                """
        )

        @Argument(help: ArgumentHelp("The policy's file, YAML or JSON.", valueName: "path"))
        var path: String

        @Flag(inversion: .prefixedNo, help: "Require Calico's kinds to be recorded.")
        var calico = true

        @Flag(inversion: .prefixedNo, help: "Require cluster-wide policies of Kubernetes to be recorded.")
        var adminPolicies = true

        func run() throws {
            let check = AuditPolicyCheck(try read(), hasCalico: calico, hasAdminPolicies: adminPolicies)
            for line in Self.table(check.rows) { print(line) }
            if !check.findings.isEmpty { print() }
            for finding in check.findings {
                print("\(finding.isError ? "error" : "note"): \(TerminalText.neutralized(finding.text))")
            }
            if check.findings.contains(where: \.isError) { throw ExitCode(1) }
        }

        private func read() throws -> AuditPolicy {
            do {
                let documents = try YAMLDocuments.read(path)
                guard let first = documents.first, documents.count == 1 else {
                    throw CommandFailure(description: "\(path): one document is needed; there are \(documents.count)")
                }
                return try AuditPolicy(json: first.span)
            } catch let fault as FileFault {
                throw CommandFailure(description: "\(path)\(fault.line.map { ":\($0)" } ?? ""): \(fault.reason)")
            } catch let error as AuditError {
                throw CommandFailure(description: "\(path): \(error)")
            }
        }

        /// Returns a line for each resource, with the audit level of its changes.
        private static func table(_ rows: [AuditPolicyCheck.Row]) -> [String] {
            rows.map { row in
                let name = row.resource.group.isEmpty ? row.resource.name : "\(row.resource.name).\(row.resource.group)"
                return TerminalText.padded(name, to: 56) + levels(row.answers)
            }
        }

        private static func levels(_ answers: [AuditPolicy.Answer]) -> String {
            let levels = Set(answers.map(\.level)).sorted(by: >)
            if levels.count == 1, let level = levels.first { return level.rawValue }
            return levels.map { level in
                let verbs = zip(AuditPolicyCheck.verbs, answers).filter { $1.level == level }.map { $0.0 }
                return "\(level.rawValue): \(verbs.joined(separator: ", "))"
            }
            .joined(separator: "; ")
        }
    }
}
