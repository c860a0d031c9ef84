import FlowLog
import FlowModel

/// Folds the records of a node from level to level, over one interval.
///
/// Each level is folded from the previous one: its records are those that the flow log would make at that level.
final class LevelChain {
    private final class Folder {
        var folder: RecordFolder

        init(_ level: AggregationLevel) {
            folder = RecordFolder(RecordDetail(allowed: level, denied: level))
        }
    }

    private let folders: [Folder]

    /// Begins with level 0 if records of several flushes must be combined, else with level 1.
    init(isOfSeveralFlushes: Bool) {
        folders = AggregationLevel.allCases.filter { $0 > .none || isOfSeveralFlushes }.map(Folder.init)
    }

    /// Takes a record of a flush.
    func add(_ record: borrowing FlowRecord) {
        folders.first?.folder.add(record)
    }

    /// Ends a flush, whose records were all added.
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
