import ClusterModel
@testable import ClusterSource

/// An event of a machine in a test, or its required reaction.
enum MachineEvent: Sendable {
    /// The answer is 200.
    case ok
    /// A watch reports an object.
    case change(String)
    /// A watch reports an object whose version cannot be read.
    case changeWithoutVersion
    case bookmark(String)
    /// The bookmark after the objects at the beginning.
    case initialEnd(String)
    /// A watch reports an error and ends.
    case errorEvent(APIStatus)
    /// A page of a list is complete.
    case page(version: String?, token: String?)
    /// A watch sends a line that is not an event.
    case junk
    case end(ReflectorMachine.BodyEnd)
    /// The server refuses the request.
    case refused(APIStatus, retryAfter: Duration? = nil)
    case failed(TransportFailure)
    /// Another request got an answer from a server that was unreachable.
    case serverIsBack
    /// Time passes.
    case later(Duration)
    /// The age limit of known objects is checked.
    case limit
}

/// A request without its random values.
enum PlainRequest: Sendable, Hashable, CustomStringConvertible {
    case watchList
    case list(String?)
    /// A list in one piece.
    case wholeList
    case watch(String)

    init(_ request: ReflectorMachine.Request) {
        switch request {
        case .watchList: self = .watchList
        case .list(token: nil, isPaged: false): self = .wholeList
        case .list(let token, _): self = .list(token)
        case .watch(let version, _): self = .watch(version)
        }
    }

    var description: String {
        switch self {
        case .watchList: "watch-list"
        case .list(let token): "list \(token ?? "")"
        case .wholeList: "whole list"
        case .watch(let version): "watch \(version)"
        }
    }
}

/// Drives a machine through events; pauses take no time, but are recorded.
struct MachineDriver {
    var machine: ReflectorMachine
    var now = ContinuousClock.now
    /// The present request; nil if the resource is gone.
    var request: ReflectorMachine.Request?
    /// The pauses since the last call of `run`.
    var pauses: [Duration] = []
    var effects: [ReflectorMachine.Effect] = []
    var reactions: [ReflectorMachine.Reaction] = []

    init(hasWatchLists: Bool = true, times: KubernetesTimes = KubernetesTimes(), seed: UInt64 = 1) {
        machine = ReflectorMachine(times: times, hasWatchLists: hasWatchLists, seed: seed)
        advance()
    }

    var plain: PlainRequest? { request.map { PlainRequest($0) } }

    /// Feeds events to the machine, and takes its next request whenever one has ended.
    mutating func run(_ events: [MachineEvent]) {
        pauses = []
        effects = []
        reactions = []
        for event in events { handle(event) }
    }

    private mutating func handle(_ event: MachineEvent) {
        switch event {
        case .ok: effects += machine.opened(at: now)
        case .change(let version): receive(.change(version: version))
        case .changeWithoutVersion: receive(.change(version: nil))
        case .bookmark(let version): receive(.bookmark(version: version, isInitialEventsEnd: false))
        case .initialEnd(let version): receive(.bookmark(version: version, isInitialEventsEnd: true))
        case .errorEvent(let status):
            receive(.error(status))
            advance()
        case .page(let version, let token):
            effects += machine.listed(ListEnd(resourceVersion: version, continueToken: token), at: now)
            advance()
        case .junk:
            receive(.unreadable)
            if reactions.last == .stop { advance() }
        case .end(let end):
            effects += machine.ended(end, at: now)
            advance()
        case .refused(let status, let retryAfter):
            effects += machine.refused(status, retryAfter: retryAfter, at: now)
            advance()
        case .failed(let failure):
            effects += machine.failed(failure, at: now)
            advance()
        case .serverIsBack: machine.serverIsBack()
        case .later(let time): now += time
        case .limit: effects += machine.expired(at: now)
        }
    }

    private mutating func receive(_ event: ReflectorMachine.Event) {
        let (reaction, effects) = machine.received(event, at: now)
        reactions.append(reaction)
        self.effects += effects
    }

    private mutating func advance() {
        while true {
            switch machine.next() {
            case .send(let request):
                self.request = request
                return
            case .gone:
                request = nil
                return
            case .wait(let time, _):
                pauses.append(time)
                now += time
            }
        }
    }
}

extension APIStatus {
    static let expired = APIStatus(code: 410, reason: "Expired", message: "too old resource version: 1 (987)")
    static let tooLarge = APIStatus(
        code: 504,
        reason: "Timeout",
        retryAfterSeconds: 1,
        causes: [Cause(reason: "ResourceVersionTooLarge")]
    )
    static let forbidden = APIStatus(code: 403, reason: "Forbidden")
}
