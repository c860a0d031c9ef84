import ArgumentParser
import Datapath

/// What is collected beside packets, as an operator writes it: `tcp`, `process`, or `none`.
struct CollectArgument {
    let collected: Collected

    private static let words: [(word: String, collected: Collected)] = [
        ("tcp", .tcp), ("process", .process), ("none", []),
    ]

    /// Reads words that are separated by commas.
    init(parsing text: String) throws {
        collected = try text.split(separator: ",", omittingEmptySubsequences: false).reduce(into: []) { all, word in
            guard let known = Self.words.first(where: { $0.word == word }) else {
                let words = Self.words.map(\.word).joined(separator: ", ")
                throw ValidationError("'\(word)' cannot be collected; what can be: \(words)")
            }
            all.formUnion(known.collected)
        }
    }
}
