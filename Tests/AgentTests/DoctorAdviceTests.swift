import ClusterModel
import ClusterSource
import Testing

@testable import Agent

/// The advice of `weir doctor` if an API server cannot be used.
struct DoctorAdviceTests {
    private static let advice: [(String?, String, String)] = [
        (nil, "no answer", "check the address"), ("10.0.0.1:6443: connection refused", "refused", "check the address"),
        (
            "the server's certificate expired on 2026-01-02; renew it, or check the clock", "expired on 2026-01-02",
            "renew it, or check the clock"
        ),
        (
            "the server's certificate is for a, b, not for c; use an address that it names, or set tls-server-name",
            "is for a, b, not for c", "use an address that it names, or set tls-server-name"
        ),
    ]

    @Test(arguments: advice)
    func advisesByReason(_ error: String?, _ seen: String, _ fix: String) throws {
        var pods = KindStatistics()
        pods.lastError = error
        let found = Doctor.examine(
            KubernetesStatistics(kinds: [.pod: pods], unreachableSince: .now),
            at: "https://api:6443"
        )
        let server = try #require(found.first)
        #expect(server.seen.hasSuffix(seen), "\(server)")
        #expect(server.fix.hasPrefix(fix), "\(server)")
    }
}
