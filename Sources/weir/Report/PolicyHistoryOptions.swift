import ArgumentParser
import Foundation
import Records
import Store

/// The source of policy changes.
struct PolicyHistoryOptions: ParsableArguments {
    @Option(
        name: .customLong("audit-log"),
        help: ArgumentHelp(
            "An audit log with changes of policies, read with what it was rotated to. Repeatable. Default: the changes of the store.",
            valueName: "path"
        )
    )
    var logs: [String] = []

    func validate() throws {
        guard !logs.contains("") else { throw ValidationError("--audit-log: the path is empty") }
    }

    /// All changes.
    ///
    /// - Parameter store: the store to use if no log is named.
    /// - Returns: nil if there is neither a log nor a store with changes.
    /// - Throws: `CommandFailure` if they cannot be read.
    func changes(store: StoreReader?) throws -> [ChangeRecord]? {
        guard logs.isEmpty else { return try PolicyHistory.changes(in: logs) }
        guard let store else { return nil }
        do {
            return try store.read { snapshot in
                // Network sets are among the selected objects.
                try snapshot.changes(ChangeQuery(role: .policy)) + snapshot.changes(ChangeQuery(role: .object))
            }
        } catch {
            throw CommandFailure(description: "\(error)")
        }
    }

    /// The range if there are no records, Unix µs: by default from the first change until now.
    func range(_ options: RangeOptions, _ changes: [ChangeRecord]?) throws -> Range<Int64> {
        let now = Int64(Date().timeIntervalSince1970)
        let until = options.until.flatMap { TimePoint.parse($0, now: now) } ?? now
        let first = (changes ?? []).map { ChangeRecord.microseconds($0.time) / 1_000_000 }.min()
        let since = options.since.flatMap { TimePoint.parse($0, now: now) } ?? first ?? until - 1
        guard since < until else {
            throw CommandFailure(description: "the range is empty: from \(since) to \(until) (Unix seconds)")
        }
        return since * 1_000_000..<until * 1_000_000
    }
}
