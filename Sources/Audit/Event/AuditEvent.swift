/// The part of a request that an event has (`level`), from least to most.
package enum AuditLevel: String, Sendable, CaseIterable, Comparable {
    /// Nothing is written.
    case none = "None"
    /// User, verb, object and result.
    case metadata = "Metadata"
    /// And the object that was sent.
    case request = "Request"
    /// And the object that was answered.
    case requestResponse = "RequestResponse"

    /// Whether one level has less than another.
    package static func < (left: AuditLevel, right: AuditLevel) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .none: 0
        case .metadata: 1
        case .request: 2
        case .requestResponse: 3
        }
    }
}

/// The stage of a request (`stage`).
package enum AuditStage: String, Sendable, CaseIterable {
    /// The request was received, and nothing done yet.
    case requestReceived = "RequestReceived"
    /// The head of a long answer was sent: watches only.
    case responseStarted = "ResponseStarted"
    /// The answer was sent.
    case responseComplete = "ResponseComplete"
    /// The server's handler crashed.
    case panic = "Panic"

    /// Whether nothing follows of the request.
    package var isFinal: Bool { self == .responseComplete || self == .panic }
}

/// The user of a request, or the impersonated one (`user`, `impersonatedUser`).
package struct AuditUser: Sendable, Hashable {
    /// The name, such as `system:serviceaccount:kube-system:deployment-controller`.
    package var name: String
    /// The groups, 64 at most.
    package var groups: [String]

    /// Takes both members.
    package init(name: String, groups: [String]) {
        (self.name, self.groups) = (name, groups)
    }
}

/// The object of a request (`objectRef`).
package struct AuditTarget: Sendable, Hashable {
    /// The resource in the plural, such as `networkpolicies`.
    package var resource = ""
    /// The API group; empty for the core group.
    package var group = ""
    /// The version of the API.
    package var version = ""
    /// The namespace; empty for what is in none.
    package var namespace = ""
    /// The name; empty where a request is for several objects.
    package var name = ""
    /// The part of the object, such as `status`; empty for the object itself.
    package var subresource = ""

    /// Makes an empty target.
    package init() {}
}

/// The result of a request (`responseStatus`).
package struct AuditStatus: Sendable, Hashable {
    /// The HTTP status code; 0 where there is none.
    package var code = 0
    /// The reason in one word, such as `Conflict`.
    package var reason = ""
    /// The reason in words.
    package var message = ""

    /// Makes an empty value.
    package init() {}
}

/// An event of an API server's audit log (`audit.k8s.io/v1` Event): one stage of one request.
///
/// Texts are cut at ``textLimit`` bytes. Objects stay in the line that the event was read from.
package struct AuditEvent: Sendable, Hashable {
    /// The longest text of an event, bytes; what is longer is cut and ends in `…`.
    package static let textLimit = 4096

    /// The part of the request that is there.
    package var level: AuditLevel = .metadata
    /// The request; all of its stages have the same.
    package var auditID = ""
    /// The stage.
    package var stage: AuditStage = .responseComplete
    /// Path and query.
    package var requestURI = ""
    /// The verb of the request: `create`, `patch` and so on; for paths that are no resources the HTTP method in lower case.
    package var verb = ""
    /// The user of the request.
    package var user = AuditUser(name: "", groups: [])
    /// The impersonated user; nil if none is impersonated.
    package var impersonated: AuditUser?
    /// The addresses of the client and then of proxies; 16 at most.
    package var sourceIPs: [String] = []
    /// The program that asked.
    package var userAgent = ""
    /// The object of the request; nil for paths that are no resources.
    package var target: AuditTarget?
    /// The result; nil before the end.
    package var status: AuditStatus?
    /// The time when the request was received, Unix time in µs; 0 if the event does not have it.
    package var receivedAt: Int64 = 0
    /// The time when this stage was reached, Unix time in µs; 0 if the event does not have it.
    package var time: Int64 = 0
    /// Whether the request was a trial run.
    package var isDryRun = false
    /// The decision of the authorizer, and its reason (annotations `authorization.k8s.io/…`).
    package var authorization: (decision: String, reason: String) {
        get { (decision, decisionReason) }
        set { (decision, decisionReason) = newValue }
    }
    /// The place in the line of the object that was sent; nil if the event has none, or must not show it.
    package var requestObject: Range<Int>?
    /// The place in the line of the object that was returned; nil if the event has none, or must not show it.
    package var responseObject: Range<Int>?

    private var decision = ""
    private var decisionReason = ""

    /// Makes an empty value.
    package init() {}
}

extension AuditEvent {
    /// Whether the request would change something if it succeeds.
    package var isWrite: Bool {
        switch verb {
        case "create", "update", "patch", "delete", "deletecollection": target != nil
        default: false
        }
    }

    /// Whether the request is for an object itself, and made it: also an update or a patch makes what is not there (201).
    package var isCreation: Bool {
        guard target?.subresource.isEmpty == true else { return false }
        return verb == "create" || (verb == "update" || verb == "patch") && status?.code == 201
    }

    /// Whether the objects of the event are credentials, which never leave this machine.
    package var isSecret: Bool { target?.isSecret ?? false }
}

extension AuditTarget {
    /// Whether it is a policy, a tier or a network set, itself and not a part of it.
    package var isOfPolicies: Bool {
        guard subresource.isEmpty else { return false }
        return AuditResource.role(of: self) == .policy || resource == "networksets" || resource == "globalnetworksets"
    }

    /// Whether objects of the resource are, or carry, credentials.
    package var isSecret: Bool {
        switch resource {
        case "secrets", "tokenreviews", "tokenrequests", "certificatesigningrequests": true
        case "serviceaccounts": subresource == "token"
        default: false
        }
    }
}
