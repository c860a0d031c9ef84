import ClusterModel
import FlowModel
import Testing

@testable import Inventory

/// The number of services without slices.
@Suite struct ServiceCoverageTests {
    private static let web = ObjectMetadata(name: "web", namespace: "shop")
    private static let other = ObjectMetadata(name: "other", namespace: "shop")

    @Test func slicesCoverTheirService() {
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
        // Two sources have the service.
        coverage.change(.init(Self.web), services: 1)
        coverage.change(.init(Self.web), services: -1)
        #expect(coverage.uncovered == 1)
        coverage.change(.init(Self.web), services: -1)
        #expect(coverage.uncovered == 0)
    }
}
