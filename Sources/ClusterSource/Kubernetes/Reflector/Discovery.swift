import Foundation

/// Queries the server's resources; concurrent callers share one request.
actor Discovery {
    /// A version of an API group.
    struct GroupVersion: Sendable, Hashable {
        var group: String
        var version: String

        var path: String { "/apis/\(group)/\(version)" }
    }

    /// The server's response.
    enum Answer: Sendable, Hashable {
        /// The resources that can be listed, by their plural names.
        case served(Set<String>)
        /// The group or version does not exist.
        case absent
        /// The client may not read it.
        case forbidden
        /// The API group exists, but is unavailable.
        case unavailable(String)
        /// There was no response.
        case failed(TransportFailure)
    }

    private let context: ReflectorContext
    private var backoff: Backoff
    private var round = ContinuousClock.now
    private var rounds = 0
    private var answers: [GroupVersion: (answer: Answer, at: ContinuousClock.Instant)] = [:]
    private var waiting: [GroupVersion: [CheckedContinuation<Answer, Never>]] = [:]

    /// The longest response that is read; the largest groups of large clusters have some hundred kB.
    private static let sizeLimit = 8 << 20

    /// Takes the client.
    init(context: ReflectorContext) {
        self.context = context
        backoff = Backoff(
            first: context.times.absentConfirmed,
            longest: context.times.absentRetry,
            seed: .random(in: 0...UInt64.max)
        )
    }

    /// Returns the time of the next queries for resources that are not served.
    ///
    /// All resources share this time, so that each group is queried only once. The first intervals are short, because
    /// custom resources may need a moment after the start of a server.
    func nextRound() -> ContinuousClock.Instant {
        let now = ContinuousClock.now
        if round <= now {
            let doubled = context.times.absentConfirmed * (1 << min(rounds, 10))
            round = now + backoff.lengthened(min(doubled, context.times.absentRetry) * 0.8)
            rounds += 1
        }
        return round
    }

    /// Queries a version of a group.
    func ask(_ groupVersion: GroupVersion) async -> Answer {
        if let known = answers[groupVersion], ContinuousClock.now - known.at < context.times.discoveryFreshness {
            return known.answer
        }
        if waiting[groupVersion] != nil {
            return await withCheckedContinuation { waiting[groupVersion]?.append($0) }
        }
        waiting[groupVersion] = []
        let answer = await fetch(groupVersion)
        switch answer {
        case .failed: answers[groupVersion] = nil
        case .served, .absent, .forbidden, .unavailable: answers[groupVersion] = (answer, .now)
        }
        for continuation in waiting.removeValue(forKey: groupVersion) ?? [] { continuation.resume(returning: answer) }
        return answer
    }

    private func fetch(_ groupVersion: GroupVersion) async -> Answer {
        let response: APIResponse
        do throws(TransportFailure) {
            response = try await context.client.open(groupVersion.path, within: context.times.answer)
        } catch {
            context.failed(error)
            return .failed(error)
        }
        context.answered(response.status, group: groupVersion.group)
        switch response.status {
        case 200:
            let body = await response.content(upTo: Self.sizeLimit, within: context.times.listIdle)
            guard let body, let list = try? JSONDecoder().decode(ResourceList.self, from: Data(body)) else {
                return .unavailable("the answer to \(groupVersion.path) cannot be read")
            }
            context.report.discoveryAnswered()
            return .served(list.followable)
        case 404:
            context.report.discoveryAnswered()
            return .absent
        case 403:
            context.report.discoveryForbidden(groupVersion.path)
            return .forbidden
        case 401:
            context.report.unauthorized(as: context.user)
            context.client.renewCredentials()
            return .unavailable("401")
        default: return .unavailable("\(await response.refusal(within: context.times.answer))")
        }
    }
}

/// The response to a query for a version of a group (`meta/v1` APIResourceList).
private struct ResourceList: Decodable {
    struct Resource: Decodable {
        var name: String
        var verbs: [String]?
    }

    var resources: [Resource]?

    /// The resources that can be listed.
    var followable: Set<String> {
        Set((resources ?? []).filter { $0.verbs?.contains("list") ?? false }.map(\.name))
    }
}
