import Audit
import Foundation
import Records
import Store

/// Changes read from a store.
struct StoredChanges {
    private let changes: [ChangeRecord]

    /// Reads the changes of a range, oldest first.
    ///
    /// - Throws: `CommandFailure` if the store cannot be read.
    init(store path: String, _ query: ChangeQuery) throws {
        do {
            changes = try StoreReader(path: path).read { try $0.changes(query) }.reversed()
        } catch {
            throw CommandFailure(description: "--store \(path): \(error)")
        }
    }

    /// Calls a body for each selected change.
    func forEach(_ selection: AuditSelection, _ body: (AuditChange, ChangeRecord) throws -> Void) rethrows {
        for record in changes {
            let change = AuditChange(record)
            if selection.matches(change.event) { try body(change, record) }
        }
    }
}
