import ClusterModel
import FlowModel
import Testing

/// The time when a pod was created, and its addresses in the annotations of network plugins.
@Suite struct PodNetworkDecodingTests {
    private static func pod(_ metadata: String, _ status: String = "{}") throws -> (pod: Pod, findings: [String]) {
        let text = #"{"metadata":{"name":"a","namespace":"n"\#(metadata)},"status":\#(status)}"#
        let (object, findings) = try ObjectDecoder.withFindings(text, as: .pod)
        guard case .pod(let pod)? = object else { throw ObjectIssue(reason: "no pod") }
        return (pod, findings)
    }

    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2026-11-28T11:05:00Z", 1_795_863_900), ("2000-02-29T23:59:59Z", 951_868_799),
            ("2026-11-28T11:05:00.123456Z", 1_795_863_900), ("2026-11-28T12:05:00+01:00", 1_795_863_900),
            ("2026-11-28T00:05:00-11:00", 1_795_863_900), ("1969-12-31T23:59:59Z", -1),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("2026-11-28t11:05:00z", 1_795_863_900),
        ] as [(String, Int64)]
    ) func decodesTimes(_ text: String, _ seconds: Int64) throws {
        let (pod, findings) = try Self.pod(#","creationTimestamp":"\#(text)""#, #"{"startTime":"\#(text)"}"#)
        #expect(pod.metadata.created == seconds)
        #expect(pod.started == seconds)
        #expect(findings == [])
    }

    @Test(arguments: [
        "yesterday", "2026-11-28", "2026-13-28T11:05:00Z", "2026-11-28T24:05:00Z", "2026-11-28T11:05:00",
        "2026-11-28T11:05:00+1", "2026-11-28T11:05:00Zulu", "2026-11-28T11:05:00.", "０026-11-28T11:05:00Z",
    ]) func reportsInvalidTime(_ text: String) throws {
        let (pod, findings) = try Self.pod(#","creationTimestamp":"\#(text)""#)
        #expect(pod.metadata.created == nil)
        #expect(findings.count == 1)
    }

    @Test(arguments: ["null", #""""#]) func acceptsMissingTime(_ text: String) throws {
        let (pod, findings) = try Self.pod(#","creationTimestamp":\#(text)"#)
        #expect(pod.metadata.created == nil)
        #expect(findings == [])
    }

    /// Annotations, the status, and the addresses that follow.
    @Test(arguments: [
        (#""cni.projectcalico.org/podIP":"10.0.0.1/32""#, "{}", ["10.0.0.1"]),
        (
            #""cni.projectcalico.org/podIP":"10.0.0.1/32","cni.projectcalico.org/podIPs":"10.0.0.1/32,fd00::1/128""#,
            #"{"podIP":"","podIPs":[]}"#, ["10.0.0.1", "fd00::1"]
        ),
        (#""cni.projectcalico.org/podIP":"10.0.0.1/32""#, #"{"podIP":"10.0.0.2"}"#, ["10.0.0.2"]),
        (#""vpc.amazonaws.com/pod-ips":"10.0.0.1""#, "{}", ["10.0.0.1"]),
        (#""cni.projectcalico.org/podIPs":"x,10.0.0.1\u00002,10.0.0.3""#, "{}", []),
        (#""cni.projectcalico.org/podIPs":"x,10.0.0.3""#, "{}", ["10.0.0.3"]),
        (#""cni.projectcalico.org/podIPs":null"#, "{}", []),
    ]) func readsAddressesFromAnnotations(_ annotations: String, _ status: String, _ addresses: [String]) throws {
        let (pod, _) = try Self.pod(#","annotations":{\#(annotations)}"#, status)
        #expect(pod.addresses.map(\.description) == addresses)
        #expect(!pod.hasReleasedNetwork)
    }

    /// As in Calico, a pod that is being deleted counts as ended once its annotation is empty.
    @Test(arguments: [
        (#","annotations":{"cni.projectcalico.org/podIP":""}"#, Pod.Phase.live, true),
        (
            #","deletionTimestamp":"2026-11-28T11:04:00Z","annotations":{"cni.projectcalico.org/podIP":""}"#,
            Pod.Phase.ended, true
        ),
        (#","deletionTimestamp":"2026-11-28T11:04:00Z""#, Pod.Phase.live, false),
    ]) func detectsNetworkReleasedByCalico(_ metadata: String, _ phase: Pod.Phase, _ hasReleased: Bool) throws {
        let (pod, _) = try Self.pod(metadata, #"{"phase":"Running","podIP":"10.0.0.1"}"#)
        #expect(pod.phase == phase)
        #expect(pod.hasReleasedNetwork == hasReleased)
    }
}
