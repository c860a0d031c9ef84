import ClusterModel
import FlowModel

/// The claims to addresses, and the winning claim of each.
struct AddressBook: Sendable {
    /// The owners by address; separate from the claims, because larger entries slow down lookups.
    private(set) var owners = ShardedTable<IPAddress, Endpoint>()
    /// The claims by address.
    private(set) var entries = ShardedTable<IPAddress, AddressEntry>()
    /// The addresses of pods that run on this host.
    private(set) var localWorkloads: Set<IPAddress> = []
    /// The times when the kept claims ended, by address, in monotonic ns.
    private(set) var endings: [IPAddress: Int64] = [:]
    /// The number of addresses with several claims.
    private(set) var contested = 0
    /// The number of addresses whose only claim has ended and is kept.
    private(set) var kept = 0
    /// A counter that grows with every change.
    private(set) var edits: UInt64 = 0
    private var lastSequence: UInt64 = 0

    /// Adds a claim to an address, and removes a kept one.
    mutating func add(_ claim: AddressClaim, at address: IPAddress) {
        var claims = claims(at: address)
        claims.removeAll { $0.isKept || $0.isBy(claim.endpoint.object, claim.source, claim.standing) }
        lastSequence += 1
        var claim = claim
        claim.sequence = lastSequence
        claims.append(claim)
        store(claims, at: address)
    }

    /// Updates the endpoint, seniority and locality of a claim that has not ended.
    mutating func renew(_ claim: AddressClaim, at address: IPAddress) {
        var claims = claims(at: address)
        guard let index = index(of: claim, in: claims), !claims[index].shows(claim) else { return }
        claims[index].endpoint = claim.endpoint
        claims[index].seniority = claim.seniority
        claims[index].isLocal = claim.isLocal
        store(claims, at: address)
    }

    /// Removes a claim.
    mutating func release(_ claim: AddressClaim, at address: IPAddress) {
        var claims = claims(at: address)
        guard let index = index(of: claim, in: claims) else { return }
        claims.remove(at: index)
        store(claims, at: address)
    }

    /// Removes a claim unless it wins.
    mutating func releaseLoser(_ claim: AddressClaim, at address: IPAddress) {
        guard let entry = entries[address], !entry.others.isEmpty else { return }
        if entry.winner.isBy(claim.endpoint.object, claim.source, claim.standing) { return }
        release(claim, at: address)
    }

    /// Ends a claim; keeps it if it is the only claim to the address, else removes it.
    ///
    /// - Returns: the sequence number of the kept claim, for ``expire(_:at:)``; nil if none is kept.
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

    /// Removes the kept claim with a sequence number, if it still exists.
    mutating func expire(_ sequence: UInt64, at address: IPAddress) {
        guard let winner = entries[address]?.winner, winner.isKept, winner.sequence == sequence else { return }
        store([], at: address)
    }

    private func claims(at address: IPAddress) -> [AddressClaim] {
        entries[address]?.claims ?? []
    }

    /// The index of the same object's claim that has not ended.
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
