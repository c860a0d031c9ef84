import FlowLog
import FlowModel

/// Folds the records of a node from level to level, over one interval.
///
/// Each level is folded from the one before: it has the records that the flow log would have made at that level itself.
final class LevelChain {
    private final class Folder {
        var folder: RecordFolder

        init(_ level: AggregationLevel) {
            folder = RecordFolder(RecordDetail(allowed: level, denied: level))
        }
    }

    private let folders: [Folder]

    /// Begins with level 0, too, where records of several flushes are to be one.
    init(isOfSeveralFlushes: Bool) {
        folders = AggregationLevel.allCases.filter { $0 > .none || isOfSeveralFlushes }.map(Folder.init)
    }

    /// Takes a record of a flush.
    func add(_ record: borrowing FlowRecord) {
        folders.first?.folder.add(record)
    }

    /// All records of a flush were added.
    func endFlush() {
        folders.first?.folder.endFlush()
    }

    /// Ends the interval.
    ///
    /// - Parameter emit: takes the records of all levels, the finest first.
    func endInterval(_ emit: (borrowing FlowRecord) -> Void) {
        for (place, folder) in folders.enumerated() {
            let next = place + 1 < folders.count ? folders[place + 1] : nil
            folder.folder.takeAll { record in
                emit(record)
                next?.folder.add(record)
            }
        }
    }
}
