import ClusterModel
import FlowModel

/// The claims to addresses, and the winning claim of each.
struct AddressBook: Sendable {
    /// The winners by address; apart from the claims, because each byte between two of these makes lookups slower.
    private(set) var owners = ShardedTable<IPAddress, Endpoint>()
    /// The claims by address.
    private(set) var entries = ShardedTable<IPAddress, AddressEntry>()
    /// The addresses of pods that run on this host.
    private(set) var localWorkloads: Set<IPAddress> = []
    /// The times when the kept claims ended, monotonic ns.
    private(set) var endings: [IPAddress: Int64] = [:]
    /// The number of addresses that have several claims.
    private(set) var contested = 0
    /// The number of addresses that are known only by a claim that has ended.
    private(set) var kept = 0
    /// Grows with every change.
    private(set) var edits: UInt64 = 0
    private var lastSequence: UInt64 = 0

    /// Adds a claim to an address; one that was kept there after its end is over.
    mutating func add(_ claim: AddressClaim, at address: IPAddress) {
        var claims = claims(at: address)
        claims.removeAll { $0.isKept || $0.isBy(claim.endpoint.object, claim.source, claim.standing) }
        lastSequence += 1
        var claim = claim
        claim.sequence = lastSequence
        claims.append(claim)
        store(claims, at: address)
    }

    /// Replaces the claimant of a claim in force by its newest version.
    mutating func renew(_ claim: AddressClaim, at address: IPAddress) {
        var claims = claims(at: address)
        guard let index = index(of: claim, in: claims), !claims[index].shows(claim) else { return }
        claims[index].endpoint = claim.endpoint
        claims[index].seniority = claim.seniority
        claims[index].isLocal = claim.isLocal
        store(claims, at: address)
    }

    /// Ends a claim at once.
    mutating func release(_ claim: AddressClaim, at address: IPAddress) {
        var claims = claims(at: address)
        guard let index = index(of: claim, in: claims) else { return }
        claims.remove(at: index)
        store(claims, at: address)
    }

    /// Ends a claim at once unless it wins.
    mutating func releaseLoser(_ claim: AddressClaim, at address: IPAddress) {
        guard let entry = entries[address], !entry.others.isEmpty else { return }
        if entry.winner.isBy(claim.endpoint.object, claim.source, claim.standing) { return }
        release(claim, at: address)
    }

    /// Ends a claim, and keeps it unless there is another claim to the address.
    ///
    /// - Returns: the number of the claim that is kept, for ``expire(_:at:)``; nil if there is none.
    mutating func keep(_ claim: AddressClaim, at address: IPAddress, endedAt time: Int64) -> UInt64? {
        var claims = claims(at: address)
        guard let index = index(of: claim, in: claims) else { return nil }
        guard claims.count == 1 else {
            claims.remove(at: index)
            store(claims, at: address)
            return nil
        }
        claims[index].isKept = true
        store(claims, at: address)
        endings[address] = time
        return claims[index].sequence
    }

    /// Ends a claim that was kept, if it still is.
    mutating func expire(_ sequence: UInt64, at address: IPAddress) {
        guard let winner = entries[address]?.winner, winner.isKept, winner.sequence == sequence else { return }
        store([], at: address)
    }

    private func claims(at address: IPAddress) -> [AddressClaim] {
        entries[address]?.claims ?? []
    }

    /// The claim of the same object that holds.
    private func index(of claim: AddressClaim, in claims: [AddressClaim]) -> Int? {
        claims.firstIndex { $0.isBy(claim.endpoint.object, claim.source, claim.standing) && !$0.isKept }
    }

    private mutating func store(_ claims: [AddressClaim], at address: IPAddress) {
        count(entries[address], as: -1)
        let entry = AddressEntry(claims)
        count(entry, as: 1)
        if !endings.isEmpty { endings[address] = nil }
        entries[address] = entry
        if entry?.winner.isLocal == true {
            localWorkloads.insert(address)
        } else {
            localWorkloads.remove(address)
        }
        let owner = entry?.winner.endpoint
        if owners[address] !== owner { owners[address] = owner }
        edits += 1
    }

    private mutating func count(_ entry: AddressEntry?, as step: Int) {
        guard let entry else { return }
        if !entry.others.isEmpty { contested += step }
        if entry.winner.isKept { kept += step }
    }
}
