import ArgumentParser
import Datapath
import Foundation

/// The data collected in addition to packets, as written by an operator: `tcp`, `process`, `process-path`, `process-args`,
/// `handshake`, `dns`, or `none`.
struct CollectArgument {
    let collected: Collected

    private static let words: [(word: String, collected: Collected)] = [
        ("tcp", .tcp), ("process", .process), ("process-path", [.process, .processPath]),
        ("process-args", [.process, .processArguments]), ("handshake", .handshake), ("dns", .dns), ("none", []),
    ]

    /// Parses words separated by commas; blanks around a word do not count.
    init(parsing text: String) throws {
        collected = try text.split(separator: ",", omittingEmptySubsequences: false).reduce(into: []) { all, part in
            let word = part.trimmingCharacters(in: .whitespaces)
            guard let known = Self.words.first(where: { $0.word == word }) else {
                let words = Self.words.map(\.word).joined(separator: ", ")
                throw ValidationError("'\(word)' cannot be collected; what can be: \(words)")
            }
            all.formUnion(known.collected)
        }
    }
}
