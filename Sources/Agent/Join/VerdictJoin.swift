import FlowModel

/// Finds connections whose recorded verdict or rule changed, and the change that caused it.
///
/// While audit logs are read, the pipeline passes each record of a flush to the join, which costs one lookup by a hash of the
/// names. The join passes shifts to the ``ChangeBoard``, which adds them to the records of changes.
struct VerdictJoin {
    /// The state of connections from one group of endpoints to a port of another.
    private struct Pair {
        /// The hash of the endpoints that open the connections.
        let owner: UInt64
        /// The traces of the connections of this interval, and of the last previous interval that had any.
        var now = TraceSet()
        var before = TraceSet()
        /// The last decision.
        var decision: VerdictShift.Decision
        var decisionBefore: VerdictShift.Decision
        /// The interval of `now`.
        var interval: UInt32
        /// The time when the intervals of `now` and `before` began, Unix seconds.
        var start: Int64
        var startBefore: Int64
        /// The last changed verdict, while its connections are counted.
        var followed: Followed?
    }

    private struct Followed {
        var number: Int
        var trace: UInt64
        var cause: ChangeCause?
        var interval: UInt32
    }

    private let board: ChangeBoard
    private var pairs: [UInt64: Pair] = [:]
    /// The number of pairs by the group of endpoints that opens the connections.
    private var owned: [UInt64: Int] = [:]
    private var interval: UInt32 = 0
    private var marks: [ChangeMark] = []
    private var shifts: [(number: Int, shift: VerdictShift)] = []
    /// The number of shifts by the group of endpoints that opens the connections.
    private var shiftsOfOwner: [UInt64: Int] = [:]
    private var connections: [(number: Int, count: UInt64)] = []
    private var nextNumber = 0
    private var causes: [ChangeKey: [ChangeCause]] = [:]
    /// Records that were not compared with earlier ones, or not linked with a change, because a limit was reached.
    private(set) var skipped: UInt64 = 0

    /// The maximum number of pairs.
    static let limit = 32_768
    /// The maximum number of pairs of one group of endpoints, so that a port scan does not use up the table.
    static let mostOfOne = 2048
    /// The number of intervals after the change in which connections are counted.
    static let followedIntervals: UInt32 = 5
    /// The maximum number of verdict changes in one interval; further ones are not linked.
    static let mostShifts = 512
    /// The maximum number of verdict changes of one group of endpoints in one interval.
    ///
    /// It is the maximum number in the record of a change.
    static let mostShiftsOfOne = 100
    /// The number of quiet intervals after which a pair is removed from a nearly full table.
    private static let quietIntervals: UInt32 = 60

    /// Creates a join without records.
    ///
    /// - Parameter board: receives the shifts, and provides the changes.
    init(_ board: ChangeBoard) {
        self.board = board
    }

    /// Begins the records of an interval.
    mutating func beginFlush() {
        interval &+= 1
        marks = board.marks
    }

    /// Examines a record.
    ///
    /// - Returns: the change that caused its verdict, if the verdict is new.
    mutating func note(_ record: borrowing FlowRecord) -> ChangeCause? {
        guard record.reporter != .forward else { return nil }
        let isRelevant = record.flows.started > 0 || record.action == .deny
        let key = Self.key(of: record)
        guard let place = pairs.index(forKey: key) else {
            add(key, record)
            return nil
        }
        // Established connections keep the trace from their start.
        guard isRelevant else { return nil }
        let trace = Self.trace(of: record)
        if pairs.values[place].interval != interval { Self.begin(&pairs.values[place], interval, record.startTime) }
        let isKnown = pairs.values[place].now.contains(trace) || pairs.values[place].before.contains(trace)
        if !isKnown { found(record, trace, at: place) }
        pairs.values[place].now.insert(trace)
        pairs.values[place].decision = VerdictShift.Decision(action: record.action, trace: record.policies?.enforced)
        return follow(record, trace, at: place)
    }

    /// Passes the shifts of the interval's records to the board.
    mutating func endFlush() {
        board.add(shifts, connections: connections)
        shifts.removeAll(keepingCapacity: true)
        shiftsOfOwner.removeAll(keepingCapacity: true)
        connections.removeAll(keepingCapacity: true)
        causes.removeAll(keepingCapacity: true)
        guard pairs.count >= Self.limit / 4 * 3, interval % 8 == 0 else { return }
        pairs = pairs.filter { interval &- $0.value.interval < Self.quietIntervals }
        owned = pairs.values.reduce(into: [:]) { $0[$1.owner, default: 0] += 1 }
    }

    // MARK: - Pairs

    private mutating func add(_ key: UInt64, _ record: borrowing FlowRecord) {
        let owner = Self.owner(of: record)
        guard pairs.count < Self.limit, owned[owner, default: 0] < Self.mostOfOne else {
            skipped += 1
            return
        }
        owned[owner, default: 0] += 1
        let decision = VerdictShift.Decision(action: record.action, trace: record.policies?.enforced)
        var pair = Pair(
            owner: owner,
            decision: decision,
            decisionBefore: decision,
            interval: interval,
            start: record.startTime,
            startBefore: record.startTime
        )
        pair.now.insert(Self.trace(of: record))
        // Different rules in a pair's first interval are not a change.
        pair.before = pair.now
        pairs[key] = pair
    }

    private static func begin(_ pair: inout Pair, _ interval: UInt32, _ start: Int64) {
        (pair.before, pair.decisionBefore, pair.startBefore) = (pair.now, pair.decision, pair.start)
        (pair.now, pair.interval, pair.start) = (TraceSet(), interval, start)
        if let followed = pair.followed, interval &- followed.interval > followedIntervals { pair.followed = nil }
    }

    private mutating func found(
        _ record: borrowing FlowRecord,
        _ trace: UInt64,
        at place: Dictionary<UInt64, Pair>.Index
    ) {
        let pair = pairs.values[place]
        guard shifts.count < Self.mostShifts, shiftsOfOwner[pair.owner, default: 0] < Self.mostShiftsOfOne else {
            skipped += 1
            return
        }
        shiftsOfOwner[pair.owner, default: 0] += 1
        let shift = VerdictShift(record, before: pair.decisionBefore, since: pair.startBefore)
        let cause = ChangeMark.cause(of: shift, among: marks).map { self.cause($0.mark, isLikely: $0.isLikely) }
        shifts.append((nextNumber, shift))
        pairs.values[place].followed = Followed(number: nextNumber, trace: trace, cause: cause, interval: interval)
        nextNumber += 1
    }

    /// Counts connections under the new verdict; in its first interval, records contain the cause.
    private mutating func follow(
        _ record: borrowing FlowRecord,
        _ trace: UInt64,
        at place: Dictionary<UInt64, Pair>.Index
    ) -> ChangeCause? {
        guard let followed = pairs.values[place].followed, followed.trace == trace else { return nil }
        let isFirst = followed.interval == interval
        let count = isFirst ? max(record.flows.started, record.flows.total) : record.flows.started
        if count > 0 { connections.append((followed.number, count)) }
        return isFirst ? followed.cause : nil
    }

    /// Returns the same object for all records with the same cause.
    private mutating func cause(_ mark: ChangeMark, isLikely: Bool) -> ChangeCause {
        if let known = causes[mark.key]?.first(where: { ($0.texts.count > 3) == isLikely }) { return known }
        let cause = ChangeCause(auditID: mark.key.auditID, object: mark.object, user: mark.user, isLikely: isLikely)
        causes[mark.key, default: []].append(cause)
        return cause
    }

    // MARK: - Hashes

    private static func key(of record: borrowing FlowRecord) -> UInt64 {
        var hasher = Hasher()
        for endpoint in [record.source.endpoint, record.destination.endpoint] {
            hasher.combine(endpoint.kind)
            hasher.combine(endpoint.namespace)
            hasher.combine(endpoint.aggregatedName)
        }
        hasher.combine(record.destination.port)
        hasher.combine(record.proto)
        hasher.combine(record.reporter)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    private static func owner(of record: borrowing FlowRecord) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(record.source.endpoint.kind)
        hasher.combine(record.source.endpoint.namespace)
        hasher.combine(record.source.endpoint.aggregatedName)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    /// The hash of verdict and hits: by contents, because traces are new objects when policies change.
    private static func trace(of record: borrowing FlowRecord) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(record.action)
        if let policies = record.policies { hasher.combine(policies.enforced.enforced) }
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}

/// A set of a few hashes; if it is full, it contains every hash.
private struct TraceSet {
    private var first: UInt64?
    private var second: UInt64?
    private var third: UInt64?
    private var isFull = false

    func contains(_ hash: UInt64) -> Bool { isFull || first == hash || second == hash || third == hash }

    mutating func insert(_ hash: UInt64) {
        if contains(hash) { return }
        if first == nil {
            first = hash
        } else if second == nil {
            second = hash
        } else if third == nil {
            third = hash
        } else {
            isFull = true
        }
    }
}
