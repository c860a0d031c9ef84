import ClusterModel
import FlowModel
import Testing

@testable import Inventory

/// Whether there are services of which nobody tells where they send connections to.
@Suite struct ServiceCoverageTests {
    private static let web = ObjectMetadata(name: "web", namespace: "shop")
    private static let other = ObjectMetadata(name: "other", namespace: "shop")

    @Test func aServiceIsCoveredByItsSlices() {
        var coverage = ServiceCoverage()
        coverage.change(.init(Self.web), services: 1)
        #expect(coverage.uncovered == 1)
        coverage.change(.init(Self.other), slices: 1)
        #expect(coverage.uncovered == 1)
        coverage.change(.init(Self.web), slices: 1)
        coverage.change(.init(Self.web), slices: 1)
        #expect(coverage.uncovered == 0)
        coverage.change(.init(Self.other), services: 1)
        #expect(coverage.uncovered == 0)
        coverage.change(.init(Self.web), slices: -1)
        #expect(coverage.uncovered == 0)
        coverage.change(.init(Self.web), slices: -1)
        #expect(coverage.uncovered == 1)
        // Two sources tell of it.
        coverage.change(.init(Self.web), services: 1)
        coverage.change(.init(Self.web), services: -1)
        #expect(coverage.uncovered == 1)
        coverage.change(.init(Self.web), services: -1)
        #expect(coverage.uncovered == 0)
    }
}
