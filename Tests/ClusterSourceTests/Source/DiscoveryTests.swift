import ClusterModel
import Foundation
import Synchronization
import Testing

@testable import ClusterSource

/// The group that serves a resource, and the effect of a change.
@Suite struct DiscoveryTests {
    private static func resource(_ kind: ObjectKind) -> [WatchedResource] {
        WatchedResource.all.filter { $0.kind == kind }
    }

    private static let calico = resource(.globalNetworkSet)
    private static let v3 = "/apis/projectcalico.org/v3"
    private static let v1 = "/apis/crd.projectcalico.org/v1"

    /// The groups of a server, which the test changes.
    private final class Groups: Sendable {
        private let state: Mutex<[String: [String]]>

        init(_ groups: [String: [String]]) { state = Mutex(groups) }

        subscript(path: String) -> [String]? {
            get { state.withLock { $0[path] } }
            set { state.withLock { $0[path] = newValue } }
        }

        /// Answers like a server that has these groups; each resource has one object, named after its group.
        func answer(_ request: ScriptedServer.Request) -> [Piece] {
            if let resources = self[request.path] { return Reply.resources(resources) }
            let parts = request.path.split(separator: "/")
            let groupPath = "/" + parts.dropLast().joined(separator: "/")
            guard let resources = self[groupPath], let plural = parts.last, resources.contains(String(plural)) else {
                return Reply.noGroup
            }
            let name = parts[parts.count - 3]
            let object =
                "{\"metadata\":{\"name\":\"\(name)\",\"uid\":\"u-\(name)\",\"resourceVersion\":\"3\"},\"spec\":{}}"
            return Reply.watch([Text.event("ADDED", object), Text.bookmark(5, isInitialEventsEnd: true)])
        }
    }

    @Test(arguments: [
        ([v3, v1], "projectcalico.org"), ([v3], "projectcalico.org"), ([v1], "crd.projectcalico.org"),
    ])
    func usesPreferredServedGroup(groups: [String], name: String) async throws {
        let served = Groups(Dictionary(uniqueKeysWithValues: groups.map { ($0, ["globalnetworksets"]) }))
        let harness = try SourceHarness(resources: Self.calico) { served.answer($0) }
        try await harness.run { harness in
            #expect(await harness.source.waitUntilSynced(timeout: .seconds(60)))
        }
        #expect(harness.observer.objects == ["\(name)@3"])
        let asked = Set(harness.server.requests.map(\.path).filter { $0.hasSuffix("globalnetworksets") })
        #expect(asked == ["/apis/\(name)/\(name == "projectcalico.org" ? "v3" : "v1")/globalnetworksets"])
        #expect(harness.log.all.isEmpty)
    }

    @Test func usesSecondGroupForResourceMissingInFirst() async throws {
        let served = Groups([Self.v3: ["networkpolicies"], Self.v1: ["globalnetworksets"]])
        let harness = try SourceHarness(resources: Self.calico) { served.answer($0) }
        try await harness.run { harness in
            #expect(await eventually { harness.observer.objects == ["crd.projectcalico.org@3"] })
        }
    }

    @Test func doesNotReportUnservedResource() async throws {
        let harness = try SourceHarness(resources: WatchedResource.all.filter { $0.kind == .adminNetworkPolicy }) { _ in
            Reply.noGroup
        }
        try await harness.run { harness in
            #expect(await harness.source.waitUntilSynced(timeout: .seconds(60)))
            #expect(await eventually { harness.server.requests.count >= 3 })
        }
        #expect(harness.source.statistics.kinds[.adminNetworkPolicy]?.presence == .absent)
        #expect(harness.observer.log.isEmpty)
        #expect(harness.log.all.isEmpty)
    }

    @Test func switchesToGroupsServedLater() async throws {
        let served = Groups([:])
        let harness = try SourceHarness(resources: Self.calico) { served.answer($0) }
        try await harness.run { harness in
            #expect(await harness.source.waitUntilSynced(timeout: .seconds(60)))
            served[Self.v1] = ["globalnetworksets"]
            #expect(await eventually { harness.observer.objects == ["crd.projectcalico.org@3"] })
            served[Self.v3] = ["globalnetworksets"]
            #expect(await eventually { harness.observer.objects == ["projectcalico.org@3"] })
            #expect(harness.source.statistics.kinds[.globalNetworkSet]?.apiVersion == "projectcalico.org/v3")
        }
        #expect(harness.log.containing("is served now").count == 2)
    }

    @Test func removesObjectsOfGroupNoLongerServed() async throws {
        let served = Groups([Self.v1: ["globalnetworksets"]])
        let gate = Gate()
        let harness = try SourceHarness(resources: Self.calico) { request in
            let pieces = served.answer(request)
            if case .hold = pieces.last { return pieces.dropLast() + [.wait(gate), .cut] }
            return pieces
        }
        try await harness.run { harness in
            #expect(await eventually { harness.observer.objects.count == 1 })
            served[Self.v1] = nil
            gate.open()
            #expect(await eventually { harness.observer.objects.isEmpty })
            #expect(await eventually { harness.source.statistics.kinds[.globalNetworkSet]?.presence == .absent })
        }
        #expect(harness.log.containing("not served any more").count == 1)
    }

    /// For half a second after its start an API server forbids everything.
    @Test func doesNotReportShortForbiddenPeriod() async throws {
        let served = Groups([Self.v1: ["globalnetworksets"]])
        let asked = Mutex(0)
        let times = KubernetesTimes.short.with { $0.forbiddenNamed = .seconds(30) }
        let harness = try SourceHarness(resources: Self.calico, times: times) { request in
            let number = asked.withLock { asked in
                asked += 1
                return asked
            }
            return number < 4 ? Reply.status(403, "Forbidden") : served.answer(request)
        }
        try await harness.run { harness in
            #expect(await eventually { harness.observer.objects == ["crd.projectcalico.org@3"] })
        }
        #expect(harness.log.containing("discovery").isEmpty)
    }

    @Test func reportsForbiddenDiscoveryAndItsEndOnce() async throws {
        let served = Groups([Self.v1: ["globalnetworksets"]])
        let isForbidden = Mutex(true)
        let harness = try SourceHarness(resources: Self.calico) { request in
            isForbidden.withLock { $0 } ? Reply.status(403, "Forbidden") : served.answer(request)
        }
        try await harness.run { harness in
            #expect(await eventually { harness.log.containing("is forbidden; bind the cluster role").count == 1 })
            isForbidden.withLock { $0 = false }
            #expect(await eventually { harness.observer.objects == ["crd.projectcalico.org@3"] })
        }
        #expect(harness.log.containing("is forbidden; bind the cluster role").count == 1)
        #expect(harness.log.containing("discovery of the served resources is permitted").count == 1)
    }

    @Test func usesEndpointsUntilSlicesAreServed() async throws {
        let served = Groups(["/api/v1": ["endpoints"]])
        let harness = try SourceHarness(resources: Self.resource(.endpointSlice)) { served.answer($0) }
        try await harness.run { harness in
            #expect(await eventually { harness.observer.log.contains("end Endpoints") })
            #expect(harness.source.statistics.kinds[.endpointSlice]?.apiVersion == "v1")
            served["/apis/discovery.k8s.io/v1"] = ["endpointslices"]
            #expect(await eventually { harness.observer.log.contains("end EndpointSlice") })
            let kinds = Set(harness.observer.snapshot.objects.keys.map(\.kind))
            #expect(kinds == [.endpointSlice])
        }
    }

    @Test func usesOtherGroupWhileFirstIsUnavailable() async throws {
        let served = Groups([Self.v1: ["globalnetworksets"]])
        let harness = try SourceHarness(resources: Self.calico) { request in
            request.path == Self.v3 ? Reply.status(503, "ServiceUnavailable") : served.answer(request)
        }
        try await harness.run { harness in
            #expect(await eventually { harness.observer.objects == ["crd.projectcalico.org@3"] })
        }
    }

    @Test func readsRecordedResourceList() async throws {
        let list = try fixture("discovery.apis.crd.projectcalico.org.v1.json")
        let wanted = WatchedResource.all.filter { $0.candidates.contains { $0.group == "crd.projectcalico.org" } }
        let harness = try SourceHarness(resources: wanted) { request in
            switch request.path {
            case Self.v1: Reply.whole(200, list)
            case let path where path.hasPrefix(Self.v1):
                Reply.watch([Text.bookmark(5, isInitialEventsEnd: true)])
            default: Reply.noGroup
            }
        }
        try await harness.run { harness in
            #expect(await harness.source.waitUntilSynced(timeout: .seconds(60)))
        }
        let served = harness.source.statistics.kinds.filter { $0.value.presence == .served }.keys
        // Counted in the recorded text, by another reader of JSON.
        let resources = try #require(
            (try JSONSerialization.jsonObject(with: Data(list.utf8)) as? [String: Any])?["resources"]
                as? [[String: Any]]
        )
        let names = Set(resources.compactMap { $0["name"] as? String })
        let expected = wanted.filter { names.contains($0.candidates[0].plural) }.map(\.kind)
        #expect(Set(served) == Set(expected))
        #expect(expected.count >= 6)
        // All resources of the group share the discovery request.
        #expect(harness.server.requests.filter { $0.path == Self.v1 }.count <= 3)
    }
}
