/// What all reflectors of a source share.
struct ReflectorContext: Sendable {
    var client: KubernetesClient
    var delivery: Delivery
    var report: SourceReport
    var sleeper: Sleeper
    var traits: ServerTraits
    var times: KubernetesTimes
    /// Where the credentials come from, for messages.
    var user: String

    /// The server answered: what waits for it need not wait any longer.
    func reached() {
        guard report.reached() else { return }
        traits.forget()
        sleeper.wake()
    }

    /// There was no answer.
    func failed(_ failure: TransportFailure) {
        switch failure {
        case .cancelled: break
        // It happens to everybody now and then that a connection ends under a request.
        case .cut: report.unreachable(failure, patience: times.forbiddenNamed)
        case .untrusted:
            report.unreachable(failure)
            // The certificate authority, or the client's certificate, may be new on disk.
            client.reload()
        case .unreachable, .unanswered: report.unreachable(failure)
        }
    }
}
