import Testing

@testable import FlowLog

@Suite struct HashIndexTests {
    @Test func emptyIndexReturnsNil() {
        #expect(HashIndex().first(7) { _ in true } == nil)
    }

    /// Random insertions and removals, compared with a dictionary; few distinct hashes make runs of taken slots, also
    /// over the end of the table.
    @Test(arguments: [[0], [.max], [0, 1, .max, .max - 1], Array(0..<50), []] as [[UInt32]], [1, 2, 3] as [UInt64])
    func matchesDictionaryAfterRandomUpdates(hashes: [UInt32], seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var index = HashIndex()
        var model: [UInt32: UInt32] = [:]
        for step in 0..<3000 as Range<UInt32> {
            // Grows for a while, then shrinks, and so on.
            let inserts = Int.random(in: 0..<10, using: &random) < (step / 500 % 2 == 0 ? 7 : 3)
            if inserts {
                let hash = hashes.randomElement(using: &random) ?? UInt32.random(in: 0 ... .max, using: &random)
                index.insert(step, hash: hash)
                model[step] = hash
            } else if let (number, hash) = model.randomElement(using: &random) {
                index.remove(number, hash: hash)
                model[number] = nil
            }
            #expect(index.count == model.count)
            guard step % 50 == 0 else { continue }
            for (number, hash) in model { #expect(index.first(hash) { $0 == number } == number) }
            for hash in hashes + [5, 77] {
                var offered: Set<UInt32> = []
                #expect(index.first(hash) { number in offered.insert(number).inserted && false } == nil)
                #expect(offered == Set(model.filter { $0.value == hash }.keys))
            }
        }
    }

    @Test func runsOfTakenSlotsStayShort() {
        var index = HashIndex()
        for number in 0..<10_000 as Range<UInt32> { index.insert(number, hash: HashIndex.hash(of: number)) }
        #expect(index.longestRun < 1000)
    }
}

@Suite struct InternTableTests {
    @Test func equalKeysShareANumber() {
        var table = InternTable<String>()
        let first = table.acquire("a")
        let second = table.acquire("b")
        let third = table.acquire("a")
        #expect(first.isNew && second.isNew && !third.isNew)
        #expect(first.number == third.number && first.number != second.number)
        #expect(table[first.number] == "a" && table[second.number] == "b")
        #expect(table.count == 2)
    }

    @Test func numberIsFreeAfterItsLastUse() {
        var table = InternTable<String>()
        let number = table.acquire("a").number
        table.retain(number)
        let uses = [table.release(number), table.release(number)]
        #expect(uses == [false, true])
        #expect(table.count == 0)
        let next = table.acquire("b")
        #expect(next.isNew && next.number == number)
        let again = table.acquire("a")
        #expect(again.isNew)
    }
}
