/// The objects that all reflectors of a source share.
struct ReflectorContext: Sendable {
    var client: KubernetesClient
    var delivery: Delivery
    var report: SourceReport
    var sleeper: Sleeper
    var traits: ServerTraits
    var times: KubernetesTimes
    /// The source of the credentials, for messages.
    var user: String

    /// Notes that the server answered: attempts that wait for it need not wait any longer.
    ///
    /// A proxy in front of a server that is away answers too, with 502, 503 or 504; a server that begins or ends says 500 or
    /// 503. That is no better than no answer.
    func answered(_ status: Int, group: String) {
        if status != 401 { report.authorized() }
        if status == 403 { traits.noteRefusal() }
        guard status < 500 else {
            // The server of an aggregated API may fail while the API server works.
            if ServerTraits.isOfServerItself(group) { traits.noteFailure() }
            return
        }
        let wasAway = report.reached()
        if wasAway { traits.forget() }
        // Refused credentials are handled as an outage: the first request that succeeds ends the pauses of all kinds.
        guard status != 401 || !ServerTraits.isOfServerItself(group) else { return traits.noteFailure() }
        if traits.noteAnswer() { sleeper.wake() }
    }

    /// Notes that a missing right was granted: attempts that wait for other rights need not wait any longer.
    func permitted(_ resource: WatchedResource, _ candidate: WatchedResource.Candidate) {
        report.permitted(resource, candidate)
        if traits.noteGrant() { sleeper.wake() }
    }

    /// Notes that a list or a watch came: attempts that wait because other answers were unreadable need not wait any longer.
    func works(_ resource: WatchedResource, _ candidate: WatchedResource.Candidate) {
        report.works(resource, candidate)
        if traits.noteReadable() { sleeper.wake() }
    }

    /// Reports that there was no answer.
    func failed(_ failure: TransportFailure) {
        if failure != .cancelled { traits.noteFailure() }
        switch failure {
        case .cancelled: break
        // Connections sometimes end during requests.
        case .cut: report.unreachable(failure, patience: times.forbiddenNamed)
        case .untrusted:
            report.unreachable(failure)
            // The certificate authority, or the client's certificate, may be new on disk.
            client.reload()
        case .unreachable, .unanswered: report.unreachable(failure)
        }
    }
}
