import ArgumentParser
import Foundation
import Glibc
import Policy

extension PolicyCommand {
    /// `weir policy explain`.
    struct Explain: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Explain policy hits of records in words.",
            discussion: """
                Reads hits of all generations: namespace/tier.name (Enterprise, Calico to 3.31), np:namespace/name \
                (Calico from 3.32 on), and those without a rule from before 2021. Quote them for the shell. The exit \
                code is 1 if a hit cannot be read.

                Examples:
                  weir policy explain '3|application|yaobank/application.allow-customer|deny|-1'
                  weir policy explain --json '1|tier2|snp:default/tier2.np2-3|allow|0'
                  jq -r '.policies.enforced_policies[]' flows.log | sort -u | weir policy explain -
                """
        )

        @Argument(help: ArgumentHelp("Hits; '-' reads them from standard input, a line each.", valueName: "hit"))
        var hits: [String]

        @Flag(help: "One JSON object a line.")
        var json = false

        func run() throws {
            var hasFailed = false
            for argument in hits {
                if argument == "-" {
                    try explainInput(&hasFailed)
                } else {
                    try explain(argument, &hasFailed)
                }
            }
            if hasFailed { throw ExitCode(1) }
        }

        private func explainInput(_ hasFailed: inout Bool) throws {
            var reader = LineReader(STDIN_FILENO, name: "standard input")
            while let line = try reader.next(before: { fflush(nil) }) {
                switch line {
                case .tooLong: try explain("", &hasFailed)
                case .bytes(let range):
                    let text = String(decoding: reader.buffer[range], as: UTF8.self)
                        .trimmingCharacters(in: .whitespaces)
                    if !text.isEmpty { try explain(text, &hasFailed) }
                }
            }
        }

        private func explain(_ text: String, _ hasFailed: inout Bool) throws {
            do throws(PolicyHitError) {
                let hit = try PolicyHit(text)
                if json {
                    printJSON(PolicyHitText.json(hit, text))
                } else {
                    print(PolicyHitText.lines(hit, text).joined(separator: "\n"))
                }
            } catch {
                hasFailed = true
                if json {
                    printJSON(PolicyHitText.json(error, text))
                } else {
                    let lines = ["error: \(error)"] + PolicyHitText.mark(text)
                    complain(lines.joined(separator: "\n"))
                }
            }
        }
    }
}

/// Describes a hit in words, member by member.
private enum PolicyHitText {
    static func lines(_ hit: PolicyHit, _ text: String) -> [String] {
        let owner = hit.namespace.map { "\($0)/" } ?? ""
        let rows = [
            ("means", hit.words), ("place", "\(hit.index), counted from 0"), ("tier", tier(hit)),
            ("policy", "\(hit.kind.rawValue) \(owner)\(hit.name)"), ("action", action(hit)), ("rule", rule(hit)),
            ("enterprise", hit.text(.enterprise)), ("calico-3.32", hit.text(.calico332)),
        ]
        return [text] + rows.map { "  \($0.0)\(String(repeating: " ", count: 12 - $0.0.count))\($0.1)" }
    }

    private static func tier(_ hit: PolicyHit) -> String {
        hit.kind == .profile ? "\(hit.tier): the profiles, which are evaluated after all tiers" : hit.tier
    }

    private static func action(_ hit: PolicyHit) -> String {
        switch hit.action {
        case .allow: "allow: let through; no further rule is evaluated"
        case .deny: "deny: dropped; no further rule is evaluated"
        case .pass: "pass: left to the next tier, or after the last one to the profiles"
        }
    }

    private static func rule(_ hit: PolicyHit) -> String {
        switch hit.ruleIndex {
        case nil: "not given, as in records from before 2021"
        case PolicyHit.unknownRule: "-2: not known"
        case PolicyHit.endOfTier where hit.kind == .profile: "-1: the endpoint has no profile"
        case PolicyHit.endOfTier: "-1: none matched; the tier's default action, reported under one of its policies"
        case .some(let index) where hit.kind == .kubernetesNetworkPolicy || hit.kind == .stagedKubernetesNetworkPolicy:
            "\(index), counted from 0; one for each protocol and peer of a rule that is written"
        case .some(let index): "\(index), counted from 0 in its direction"
        }
    }

    // MARK: JSON

    private struct Line: Encodable {
        var hit: String
        var index: Int
        var tier: String
        var kind: String
        var namespace: String?
        var name: String
        var staged: Bool
        var action: String
        var rule: Int?
        var words: String
        var enterprise: String
        var calico332: String

        enum CodingKeys: String, CodingKey {
            case hit, index, tier, kind, namespace, name, staged, action, rule, words, enterprise
            case calico332 = "calico-3.32"
        }
    }

    static func json(_ hit: PolicyHit, _ text: String) -> String {
        let line = Line(
            hit: text,
            index: hit.index,
            tier: hit.tier,
            kind: hit.kind.rawValue,
            namespace: hit.namespace,
            name: hit.name,
            staged: hit.kind.isStaged,
            action: hit.action.rawValue,
            rule: hit.ruleIndex,
            words: hit.words,
            enterprise: hit.text(.enterprise),
            calico332: hit.text(.calico332)
        )
        return (try? JSONEncoder.forLines.line(line)) ?? ""
    }

    static func json(_ error: PolicyHitError, _ text: String) -> String {
        (try? JSONEncoder.forLines.line(["hit": text, "error": error.description])) ?? ""
    }

    // MARK: Errors

    /// The text, with a marker below it at the first error.
    static func mark(_ text: String) -> [String] {
        guard !text.isEmpty, text.utf8.count <= 400, !text.contains(where: \.isNewline) else { return [] }
        let parts = text.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        let bad = badPart(parts)
        let before = parts.prefix(bad).reduce(0) { $0 + $1.count + 1 }
        let length = bad < parts.count ? max(1, parts[bad].count) : 1
        return ["  \(text)", "  " + String(repeating: " ", count: before) + String(repeating: "^", count: length)]
    }

    /// The index of the first part that cannot be parsed even if all other parts are valid.
    private static func badPart(_ parts: [String]) -> Int {
        guard parts.count >= 4 else { return parts.count }
        guard parts.count <= 5 else { return 5 }
        let good = ["0", "default", "gnp:name", "allow", "0"]
        for place in [0, 1, 3, 4] where place < parts.count && !(place == 1 && parts[1] == PolicyHit.profileTier) {
            var attempt = good
            attempt[place] = parts[place]
            if (try? PolicyHit(attempt.joined(separator: "|"))) == nil { return place }
        }
        return 2
    }
}
