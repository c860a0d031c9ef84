import Testing

@testable import FlowModel

struct UniqueNumberTests {
    @Test(arguments: [0, UInt64(UInt32.max) - 1, UInt64(UInt32.max), 1 << 40])
    func takeReturnsConsecutiveNumbers(_ start: UInt64) {
        let numbers = UniqueNumber(after: start)
        #expect((0..<5).map { _ in numbers.take() } == (1...5).map { start + $0 })
    }

    @Test func everyLabelSetHasUniqueID() {
        let sets = (0..<1000).map { _ in LabelSet(sorted: []) }
        #expect(Set(sets.map(\.id)).count == sets.count)
    }
}
