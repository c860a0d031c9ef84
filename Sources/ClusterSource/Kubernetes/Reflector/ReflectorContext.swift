/// The objects that all reflectors of a source share.
struct ReflectorContext: Sendable {
    var client: KubernetesClient
    var delivery: Delivery
    var report: SourceReport
    var sleeper: Sleeper
    var traits: ServerTraits
    var times: KubernetesTimes
    /// The place of the credentials, for messages.
    var user: String

    /// Records that the server responded, and ends the pauses of attempts that wait for it.
    ///
    /// A status of 500 or more counts as no response: a proxy sends 502, 503 or 504 for an unreachable server, and a
    /// server that starts or stops sends 500 or 503.
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
        // Rejected credentials are handled like an outage: the first successful request ends the pauses of all kinds.
        guard status != 401 || !ServerTraits.isOfServerItself(group) else { return traits.noteFailure() }
        if traits.noteAnswer() { sleeper.wake() }
    }

    /// Records that a missing right was granted, and ends the pauses of attempts that wait for other rights.
    func permitted(_ resource: WatchedResource, _ candidate: WatchedResource.Candidate) {
        report.permitted(resource, candidate)
        if traits.noteGrant() { sleeper.wake() }
    }

    /// Records a readable list or watch, and ends the pauses of attempts after unreadable responses.
    func works(_ resource: WatchedResource, _ candidate: WatchedResource.Candidate) {
        report.works(resource, candidate)
        if traits.noteReadable() { sleeper.wake() }
    }

    /// Reports that there was no response.
    func failed(_ failure: TransportFailure) {
        if failure != .cancelled { traits.noteFailure() }
        switch failure {
        case .cancelled: break
        // Connections sometimes end during requests.
        case .cut: report.unreachable(failure, patience: times.forbiddenNamed)
        case .untrusted:
            report.unreachable(failure)
            // The certificate authority or the client certificate on disk may be new.
            client.reload()
        case .unreachable, .unanswered: report.unreachable(failure)
        }
    }
}
