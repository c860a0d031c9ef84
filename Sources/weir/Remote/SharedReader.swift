import Synchronization

/// A ``LiveLineReader`` for a closure that another task calls.
final class SharedReader: Sendable {
    private let reader = Mutex(LiveLineReader())

    /// Whether no valid line has been received yet.
    var isFirst: Bool { reader.withLock { $0.understood == 0 } }

    /// Adds a chunk.
    ///
    /// - Returns: the content of its complete lines, and whether they are the first valid ones.
    func take(_ piece: [UInt8]) -> (lines: [LiveLineReader.Line], isBeginning: Bool) {
        reader.withLock { reader in
            let wasSilent = reader.understood == 0
            let lines = reader.take(piece)
            return (lines, wasSilent && reader.understood > 0)
        }
    }
}
