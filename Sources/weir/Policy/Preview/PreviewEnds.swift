import FlowModel
import Policy

/// The ends of recorded connections, each looked up once.
struct PreviewEnds {
    /// An endpoint to evaluate for an end.
    struct Candidate {
        var name: PolicyEndName
        var end: PolicyTracer.End
    }

    /// The endpoints of the inventory that an end may be.
    struct Candidates {
        /// The first few of them.
        var first: [Candidate] = []
        /// An end of each kind that policies can distinguish, before or after the change.
        var kinds: [Candidate] = []
    }

    /// An end.
    struct Entry {
        /// The number of the displayed name.
        var text: Int32
        /// The endpoints of the inventory that it may be; nil if the records name none.
        var candidates: Candidates?
    }

    /// The properties of an endpoint that policies distinguish, before and after the change.
    private struct Kind: Hashable {
        var ipv4: [PolicyStanding]
        var ipv6: [PolicyStanding]
    }

    private var numbers: [RecordedConnection.End: Int] = [:]
    private var texts: [String: Int32] = [:]
    private var entries: [Entry] = []
    private let members: WorkloadMembers
    private let after: PolicySnapshot

    /// The most candidates in ``Candidates/first``.
    private static let firstLimit = 3
    /// The most kinds of pods evaluated for a workload.
    private static let kindLimit = 16

    /// Creates ends without members.
    ///
    /// - Parameters:
    ///   - members: the pods of the workloads.
    ///   - after: the policies after the change.
    init(_ members: WorkloadMembers, _ after: PolicySnapshot) {
        (self.members, self.after) = (members, after)
    }

    /// The end with a number.
    subscript(_ number: Int) -> Entry { entries[number] }

    /// The number of an end; looks the end up the first time.
    ///
    /// - Parameters:
    ///   - end: the end.
    ///   - tracer: the inventory and the policies before the change.
    /// - Returns: the number.
    mutating func number(_ end: RecordedConnection.End, _ tracer: inout PolicyTracer) -> Int {
        if let known = numbers[end] { return known }
        let text = end.text
        let textNumber = texts[text] ?? Int32(texts.count)
        texts[text] = textNumber
        numbers[end] = entries.count
        entries.append(Entry(text: textNumber, candidates: members.allNames(end).map { candidates($0, &tracer) }))
        return entries.count - 1
    }

    private func candidates(_ names: [PolicyEndName], _ tracer: inout PolicyTracer) -> Candidates {
        var result = Candidates()
        var known: Set<Kind> = []
        for name in names where result.kinds.count < Self.kindLimit {
            guard let end = try? tracer.end(name) else { continue }
            let candidate = Candidate(name: name, end: end)
            if result.first.count < Self.firstLimit { result.first.append(candidate) }
            func standings(_ place: PolicyTracer.Place?) -> [PolicyStanding] {
                guard let place else { return [] }
                let endpoint = place.pod ?? tracer.inventory.endpoint(at: place.address)
                return [tracer.policies, after].map { $0.standing(of: endpoint, at: place.address) }
            }
            if known.insert(Kind(ipv4: standings(end.ipv4), ipv6: standings(end.ipv6))).inserted {
                result.kinds.append(candidate)
            }
        }
        return result
    }
}
