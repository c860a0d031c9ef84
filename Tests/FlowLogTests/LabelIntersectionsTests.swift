import FlowModel
import Testing

@testable import FlowLog

@Suite struct LabelIntersectionsTests {
    private let first = LabelSet(sorted: ["a=1", "b=1"])
    private let second = LabelSet(sorted: ["a=1", "b=2"])

    @Test func returnsSameObjectForSameSets() {
        var intersections = LabelIntersections()
        let common = intersections.common(first, second)
        #expect(common.labels == ["a=1"])
        #expect(intersections.common(first, second) === common)
        #expect(intersections.common(second, first) === common)
        #expect(intersections.common(first, first) === first)
        #expect(intersections.count == 1)
    }

    @Test func keepsIntersectionUsedInEveryInterval() {
        var intersections = LabelIntersections()
        let common = intersections.common(first, second)
        for _ in 0..<5 {
            intersections.beginInterval()
            #expect(intersections.common(first, second) === common)
        }
    }

    @Test func dropsIntersectionUnusedForAnInterval() {
        var intersections = LabelIntersections()
        let common = intersections.common(first, second)
        intersections.beginInterval()
        #expect(intersections.count == 1)
        intersections.beginInterval()
        #expect(intersections.count == 0)
        #expect(intersections.common(first, second) !== common)
    }
}
