import Synchronization

/// A ``LiveLineReader`` for a closure that is called from another task.
final class SharedReader: Sendable {
    private let reader = Mutex(LiveLineReader())

    /// Whether nothing came yet that means something.
    var isFirst: Bool { reader.withLock { $0.understood == 0 } }

    /// Takes a piece.
    ///
    /// - Returns: what its whole lines say, and whether they are the first ones that mean something.
    func take(_ piece: [UInt8]) -> (lines: [LiveLineReader.Line], isBeginning: Bool) {
        reader.withLock { reader in
            let wasSilent = reader.understood == 0
            let lines = reader.take(piece)
            return (lines, wasSilent && reader.understood > 0)
        }
    }
}
