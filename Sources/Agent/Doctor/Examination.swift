/// A finding of `weir doctor`.
package struct Examination: Sendable, Codable, Equatable {
    /// The result of an examination.
    package enum Status: String, Sendable, Codable, CaseIterable {
        /// Nothing is wrong.
        case ok
        /// Weir works, but a part of its functions is missing.
        case degraded
        /// Weir does not work.
        case missing
    }

    /// The name of the examined part.
    package var name: String
    /// The result.
    package var status: Status
    /// The observation.
    package var seen: String
    /// The consequence; empty if there is none.
    package var cost: String
    /// The remedy; empty if nothing is to be done.
    package var fix: String

    /// Takes all members.
    package init(_ name: String, _ status: Status, _ seen: String, cost: String = "", fix: String = "") {
        self.name = name
        self.status = status
        self.seen = seen
        self.cost = cost
        self.fix = fix
    }
}

extension [Examination] {
    /// The worst status.
    package var status: Examination.Status {
        if contains(where: { $0.status == .missing }) { return .missing }
        return contains { $0.status == .degraded } ? .degraded : .ok
    }

    /// A line for each examination, followed by its consequence and its remedy.
    package var text: String {
        let width = map(\.name.count).max() ?? 0
        return map { examination in
            let name = examination.name + String(repeating: " ", count: width - examination.name.count)
            let status = examination.status.rawValue
            var lines = "\(status)\(String(repeating: " ", count: 8 - status.count))  \(name)  \(examination.seen)\n"
            let indent = String(repeating: " ", count: width + 12)
            if !examination.cost.isEmpty { lines += "\(indent)costs: \(examination.cost)\n" }
            if !examination.fix.isEmpty { lines += "\(indent)fix: \(examination.fix)\n" }
            return lines
        }.joined()
    }
}
