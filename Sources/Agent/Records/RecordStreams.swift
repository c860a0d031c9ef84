import Export
import FlowLog
import FlowModel
import Logging

/// The streams of all outputs: one for all outputs with equal selections and the same lag.
struct RecordStreams {
    private struct Member {
        let output: Output
        let selection: RecordSelection
        var easing: OutputEasing?

        var key: RecordStream.Key { RecordStream.Key(selection: selection, raise: easing?.raise ?? 0) }
    }

    /// Streams that get records unchanged.
    private(set) var plain: [RecordStream] = []
    /// Streams that fold records.
    private(set) var folding: [RecordStream] = []
    private var members: [Member]
    private let made: RecordDetail
    private let host: String
    private let logger: Logger

    /// Creates one stream for each selection, in the order of the outputs.
    init(
        _ outputs: [(output: Output, selection: RecordSelection)],
        of made: RecordDetail,
        host: String,
        logger: Logger
    ) {
        self.made = made
        self.host = host
        self.logger = logger
        members = outputs.map { output, selection in
            let easing = selection.easing.map { OutputEasing($0, path: output.specification.filePath) }
            return Member(output: output, selection: selection, easing: easing)
        }
        for member in members { member.output.note(raisedLevels: 0) }
        assign()
    }

    /// All streams.
    var all: [RecordStream] { plain + folding }

    /// Folds the records of lagging outputs further, and stops when they have caught up; to be called before a flush.
    mutating func ease() {
        var hasChanged = false
        for index in members.indices where members[index].easing != nil {
            // An output's records do not change within its own interval.
            guard stream(of: members[index].key)?.isEmpty ?? true else { continue }
            let former = members[index].key.raise
            let waiting = members[index].output.waitingBytes
            guard members[index].easing?.look(waiting: waiting) == true else { continue }
            hasChanged = true
            note(members[index], former: former)
        }
        if hasChanged { assign() }
    }

    private func stream(of key: RecordStream.Key) -> RecordStream? {
        plain.first { $0.key == key } ?? folding.first { $0.key == key }
    }

    /// Assigns each output to an existing or a new stream.
    private mutating func assign() {
        let former = all
        for stream in former { stream.outputs = [] }
        var streams: [RecordStream] = []
        for member in members {
            let known = streams.first { $0.key == member.key }
            let stream =
                known ?? former.first { $0.key == member.key } ?? RecordStream(member.key, of: made, host: host)
            stream.outputs.append(member.output)
            if known == nil { streams.append(stream) }
        }
        plain = streams.filter { !$0.isFolding }
        folding = streams.filter(\.isFolding)
    }

    private func note(_ member: Member, former: Int) {
        member.output.note(raisedLevels: member.key.raise)
        let detail = member.selection.detail.raised(by: member.key.raise)
        let metadata: Logger.Metadata = [
            "output": "\(member.output.specification)",
            "level_allowed": "\(detail.levelForAllowed.rawValue)", "level_denied": "\(detail.levelForDenied.rawValue)",
        ]
        if former == 0 {
            logger.warning("the output is behind: its records are aggregated further", metadata: metadata)
        } else if member.key.raise == 0 {
            logger.info("the output has caught up: its records have their own level again", metadata: metadata)
        } else {
            logger.info("the output is still behind: its records are aggregated further", metadata: metadata)
        }
    }
}

extension RecordDetail {
    /// The detail of the records that must be made: the finest of all receivers, with all parts.
    ///
    /// - Parameters:
    ///   - selections: the selections of the outputs.
    ///   - others: the detail of further receivers of all records; nil if there are none.
    init(finestOf selections: [RecordSelection], for others: RecordDetail?) {
        func finest(_ action: FlowAction) -> AggregationLevel {
            let levels = [selections.finestLevel(for: action), others?.level(for: action)].compactMap(\.self)
            // There is no receiver: the least detail.
            return levels.min() ?? .noDestinationPort
        }
        self.init(allowed: finest(.allow), denied: finest(.deny))
    }
}
