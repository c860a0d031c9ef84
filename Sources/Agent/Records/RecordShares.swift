import Export

/// The bytes that each endpoint has written in a flush, and the rank of its next record, which depends on them.
///
/// A record is charged to the initiator if that is a workload or a host, else to the reporting end: an endpoint with many
/// records competes with itself for room in a full queue.
struct RecordShares {
    /// Bytes of a flush up to which an endpoint's records have rank 0, 1, 2 and 3.
    static let limits = [16 << 10, 64 << 10, 256 << 10, 1 << 20]

    /// The numbers of endpoints, in an open-addressing table; 0 is an empty place.
    private var owners: [UInt64]
    private var written: [Int]
    private var count = 0

    private static let smallest = 256
    /// The most places that are kept from one flush to the next.
    private static let largestKept = 16_384

    /// Creates shares without any records.
    init() {
        precondition(Self.limits.count + 1 == RecordBatch.ranks, "a limit for each rank but the last")
        owners = [UInt64](repeating: 0, count: Self.smallest)
        written = [Int](repeating: 0, count: Self.smallest)
    }

    /// Returns the place of an endpoint, valid until the next call.
    mutating func place(of owner: UInt64) -> Int {
        var place = start(of: owner)
        while owners[place] != owner {
            guard owners[place] != 0 else { return insert(owner) }
            place = (place + 1) & (owners.count - 1)
        }
        return place
    }

    /// The rank of the next record of the endpoint at a place.
    func rank(at place: Int) -> Int {
        let bytes = written[place]
        if bytes < Self.limits[0] { return 0 }
        return Self.limits.firstIndex { bytes < $0 } ?? Self.limits.count
    }

    /// Charges bytes to the endpoint at a place.
    mutating func charge(_ bytes: Int, at place: Int) {
        written[place] += bytes
    }

    /// Begins a flush.
    mutating func reset() {
        guard count > 0 else { return }
        guard owners.count <= Self.largestKept else {
            self = RecordShares()
            return
        }
        for place in owners.indices { (owners[place], written[place]) = (0, 0) }
        count = 0
    }

    private mutating func insert(_ owner: UInt64) -> Int {
        count += 1
        if count * 2 > owners.count {
            let (oldOwners, oldWritten) = (owners, written)
            owners = [UInt64](repeating: 0, count: owners.count * 2)
            written = [Int](repeating: 0, count: owners.count)
            for place in oldOwners.indices where oldOwners[place] != 0 {
                written[occupy(oldOwners[place])] = oldWritten[place]
            }
        }
        return occupy(owner)
    }

    private mutating func occupy(_ owner: UInt64) -> Int {
        var place = start(of: owner)
        while owners[place] != 0 { place = (place + 1) & (owners.count - 1) }
        owners[place] = owner
        return place
    }

    /// Returns the start of the search for a number (Fibonacci hashing).
    private func start(of owner: UInt64) -> Int {
        let mixed = owner &* 0x9e37_79b9_7f4a_7c15
        return Int(truncatingIfNeeded: mixed >> 32) & (owners.count - 1)
    }
}
