import Export
import Testing

@testable import Agent

/// The amounts that endpoints have written in a flush.
struct RecordSharesTests {
    @Test func rankGrowsWithBytesOfEndpoint() {
        var shares = RecordShares()
        var ranks: [Int] = []
        for _ in 0..<2000 {
            let place = shares.place(of: 7)
            ranks.append(shares.rank(at: place))
            shares.charge(1024, at: place)
        }
        #expect(ranks == ranks.sorted())
        for (rank, limit) in RecordShares.limits.enumerated() {
            #expect(ranks.firstIndex(of: rank + 1) == limit >> 10)
        }
        #expect(ranks.last == RecordBatch.ranks - 1)
        // Another endpoint begins at the bottom, and so does the next flush.
        #expect(shares.rank(at: shares.place(of: 8)) == 0)
        shares.reset()
        #expect(shares.rank(at: shares.place(of: 7)) == 0)
    }

    @Test func endpointsHaveSeparateShares() {
        var shares = RecordShares()
        let owners = (1...20_000).map { UInt64($0) &* 2_654_435_761 }
        for round in 0..<2 {
            for (index, owner) in owners.enumerated() {
                let place = shares.place(of: owner)
                #expect(shares.rank(at: place) == (index % 2 == 1 && round > 0 ? 1 : 0))
                shares.charge(index % 2 == 1 ? 17 << 10 : 100, at: place)
            }
        }
    }
}
