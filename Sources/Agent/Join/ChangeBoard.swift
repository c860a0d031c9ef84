package import Audit
package import FlowModel
import Synchronization

/// Joins changes of the cluster with changed verdicts.
///
/// The thread that reads audit logs adds the changes, the pipeline adds the verdicts.
///
/// Either may come first: an API server may write its log late, and a verdict is recorded only when an interval ends.
package final class ChangeBoard: Sendable {
    private struct Link {
        let shift: VerdictShift
        /// The change that caused it; nil as long as none is known.
        var key: ChangeKey?
        /// Whether the change was found only in an object, not in an audit log.
        var isSeen = false
        let foundAt: ContinuousClock.Instant
        var isLikely: Bool
        var connections: UInt64
    }

    private struct State {
        var policies: [ChangeMark] = []
        var others: [ChangeMark] = []
        /// Changes that were found in objects; an audit log may contain them, too.
        var seen: [ChangeMark] = []
        var marks: [ChangeMark] { policies + others + seen }
        /// Links by the numbers that the pipeline assigned.
        var links: [Int: Link] = [:]
        var order: [Int] = []
        var changed: Set<ChangeKey> = []
        /// The keys of seen changes with new verdicts or connections.
        var changedSeen: Set<ChangeKey> = []
    }

    private let state = Mutex(State())

    /// The maximum number of kept changes, for policies and other objects each, so that changes of pods evict no changes of
    /// policies.
    private static let mostMarks = 256
    /// The maximum number of kept verdict changes; the oldest are evicted.
    ///
    /// The limit exceeds the number of verdicts that can change while the connections of one are counted.
    private static let mostLinks = 4096
    /// The maximum number of verdict changes in the record of one change.
    private static let mostOfOne = 100
    /// The time to wait for the request of a seen change in an audit log; after that, the log does not contain it.
    static let patience = Duration.seconds(90)

    /// Creates an empty board.
    package init() {}

    /// Adds changes from audit logs, and links them with verdicts that were recorded before.
    package func add(_ changes: some BidirectionalCollection<AuditChange>) {
        // Only the newest changes of each group are kept.
        var (policies, others): ([ChangeMark], [ChangeMark]) = ([], [])
        for index in changes.indices.reversed() {
            let isOfPolicy = changes[index].role == .policy
            guard (isOfPolicy ? policies.count : others.count) < Self.mostMarks, let mark = ChangeMark(changes[index])
            else { continue }
            if isOfPolicy { policies.append(mark) } else { others.append(mark) }
        }
        let marks = policies + others
        guard !marks.isEmpty else { return }
        state.withLock { state in
            state.policies += policies.reversed()
            state.others += others.reversed()
            state.policies.removeFirst(max(0, state.policies.count - Self.mostMarks))
            state.others.removeFirst(max(0, state.others.count - Self.mostMarks))
            for number in state.order {
                guard let link = state.links[number], link.key == nil || link.isSeen,
                    marks.contains(where: { link.shift.mayFollow($0.time) })
                else { continue }
                Self.link(number, &state)
            }
        }
    }

    /// Adds changes that were found in objects, without their requests.
    func add(seen marks: [ChangeMark]) {
        guard !marks.isEmpty else { return }
        state.withLock { state in
            state.seen += marks
            state.seen.removeFirst(max(0, state.seen.count - Self.mostMarks))
        }
    }

    /// The known changes.
    var marks: [ChangeMark] { state.withLock { $0.marks } }

    /// Adds the shifts and connections of an interval's records.
    ///
    /// - Parameters:
    ///   - shifts: verdicts that changed, under new numbers.
    ///   - connections: the numbers of further connections, by the shifts' numbers.
    func add(_ shifts: [(number: Int, shift: VerdictShift)], connections: [(number: Int, count: UInt64)]) {
        guard !shifts.isEmpty || !connections.isEmpty else { return }
        state.withLock { state in
            for (number, shift) in shifts {
                state.links[number] = Link(shift: shift, foundAt: .now, isLikely: true, connections: 0)
                state.order.append(number)
                Self.link(number, &state)
            }
            for (number, count) in connections {
                state.links[number]?.connections &+= count
                guard let link = state.links[number], let key = link.key else { continue }
                if link.isSeen { state.changedSeen.insert(key) } else { state.changed.insert(key) }
            }
            let surplus = max(0, state.order.count - Self.mostLinks)
            for number in state.order.prefix(surplus) { state.links[number] = nil }
            state.order.removeFirst(surplus)
        }
    }

    private static func link(_ number: Int, _ state: inout State) {
        guard let shift = state.links[number]?.shift, let cause = ChangeMark.cause(of: shift, among: state.marks) else {
            return
        }
        state.links[number]?.key = cause.mark.key
        state.links[number]?.isLikely = cause.isLikely
        state.links[number]?.isSeen = cause.mark.isSeen
        if cause.mark.isSeen {
            state.changedSeen.insert(cause.mark.key)
        } else {
            state.changed.insert(cause.mark.key)
        }
    }

    /// Returns the verdicts of each seen change that got new verdicts or connections since the last call.
    ///
    /// - Parameter time: the time before which the first verdict of a returned change was found.
    /// - Returns: the changes, each with all of its verdicts.
    package func takeSeen(
        foundBefore time: ContinuousClock.Instant
    ) -> [(change: AuditChange, verdicts: [VerdictChange])] {
        state.withLock { state in
            var taken: [(AuditChange, [VerdictChange])] = []
            for key in state.changedSeen {
                let links = state.order.compactMap { state.links[$0] }.filter { $0.isSeen && $0.key == key }
                guard let first = links.first, let mark = state.seen.last(where: { $0.key == key }) else {
                    // The request was in a log, or the change is too old.
                    state.changedSeen.remove(key)
                    continue
                }
                guard first.foundAt < time else { continue }
                state.changedSeen.remove(key)
                let verdicts = links.prefix(Self.mostOfOne).map {
                    $0.shift.change(isLikely: true, connections: $0.connections)
                }
                taken.append((mark.seenChange, Array(verdicts)))
            }
            return taken
        }
    }

    /// Returns the verdicts of each change that got new verdicts or connections since the last call.
    package func takeChanged() -> [(change: ChangeKey, verdicts: [VerdictChange])] {
        state.withLock { state in
            guard !state.changed.isEmpty else { return [] }
            var verdicts: [ChangeKey: [VerdictChange]] = [:]
            for link in state.order.compactMap({ state.links[$0] }) {
                guard let key = link.key, state.changed.contains(key), verdicts[key, default: []].count < Self.mostOfOne
                else { continue }
                verdicts[key, default: []].append(
                    link.shift.change(isLikely: link.isLikely, connections: link.connections)
                )
            }
            state.changed = []
            return verdicts.map { ($0.key, $0.value) }
        }
    }
}
