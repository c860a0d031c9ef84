/// The part of a request that an event contains (`level`), from least to most.
package enum AuditLevel: String, Sendable, CaseIterable, Comparable {
    /// Nothing is logged.
    case none = "None"
    /// User, verb, object reference and result.
    case metadata = "Metadata"
    /// The metadata, and the object of the request.
    case request = "Request"
    /// The metadata, and the objects of the request and the response.
    case requestResponse = "RequestResponse"

    /// Whether one level contains less than another.
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
    /// The request was received, but not handled yet.
    case requestReceived = "RequestReceived"
    /// The headers of a long-running response, such as a watch, were sent.
    case responseStarted = "ResponseStarted"
    /// The response was sent.
    case responseComplete = "ResponseComplete"
    /// The server's handler crashed.
    case panic = "Panic"

    /// Whether this is the last stage of a request.
    package var isFinal: Bool { self == .responseComplete || self == .panic }
}

/// The user of a request, or the impersonated one (`user`, `impersonatedUser`).
package struct AuditUser: Sendable, Hashable {
    /// The name, such as `system:serviceaccount:kube-system:deployment-controller`.
    package var name: String
    /// The groups, at most 64.
    package var groups: [String]

    /// Takes both members.
    package init(name: String, groups: [String]) {
        (self.name, self.groups) = (name, groups)
    }
}

/// The object reference of a request (`objectRef`).
package struct AuditTarget: Sendable, Hashable {
    /// The resource in the plural, such as `networkpolicies`.
    package var resource = ""
    /// The API group; empty for the core group.
    package var group = ""
    /// The version of the API.
    package var version = ""
    /// The namespace; empty if there is none.
    package var namespace = ""
    /// The name; empty for a request for several objects.
    package var name = ""
    /// The subresource, such as `status`; empty for the object itself.
    package var subresource = ""

    /// Makes an empty target.
    package init() {}
}

/// The result of a request (`responseStatus`).
package struct AuditStatus: Sendable, Hashable {
    /// The HTTP status code; 0 if there is none.
    package var code = 0
    /// The reason as one word, such as `Conflict`.
    package var reason = ""
    /// The message.
    package var message = ""

    /// Makes an empty value.
    package init() {}
}

/// An event of an API server's audit log (`audit.k8s.io/v1` Event): one stage of one request.
///
/// Texts are truncated to ``textLimit`` bytes. Objects are not copied from the event's line.
package struct AuditEvent: Sendable, Hashable {
    /// The maximum length of a text, bytes; longer texts are truncated and end in `…`.
    package static let textLimit = 4096

    /// The part of the request that the event contains.
    package var level: AuditLevel = .metadata
    /// The audit ID of the request, the same in all of its stages.
    package var auditID = ""
    /// The stage.
    package var stage: AuditStage = .responseComplete
    /// The path and query.
    package var requestURI = ""
    /// The verb of the request, such as `create` or `patch`; for non-resource paths, the HTTP method in lower case.
    package var verb = ""
    /// The user of the request.
    package var user = AuditUser(name: "", groups: [])
    /// The impersonated user; nil for none.
    package var impersonated: AuditUser?
    /// The addresses of the client and then of proxies, at most 16.
    package var sourceIPs: [String] = []
    /// The user agent of the client.
    package var userAgent = ""
    /// The object reference of the request; nil for non-resource paths.
    package var target: AuditTarget?
    /// The result; nil before the final stage.
    package var status: AuditStatus?
    /// The time when the request was received, Unix time in µs; 0 if the event does not have it.
    package var receivedAt: Int64 = 0
    /// The time when this stage was reached, Unix time in µs; 0 if the event does not have it.
    package var time: Int64 = 0
    /// Whether the request was a dry run.
    package var isDryRun = false
    /// The decision of the authorizer, and its reason (annotations `authorization.k8s.io/…`).
    package var authorization: (decision: String, reason: String) {
        get { (decision, decisionReason) }
        set { (decision, decisionReason) = newValue }
    }
    /// The place of the request's object in the line; nil if the event has none, or the object must not be shown.
    package var requestObject: Range<Int>?
    /// The place of the response's object in the line; nil if the event has none, or the object must not be shown.
    package var responseObject: Range<Int>?

    private var decision = ""
    private var decisionReason = ""

    /// Makes an empty value.
    package init() {}
}

extension AuditEvent {
    /// Whether the request would change something if it succeeded.
    package var isWrite: Bool {
        switch verb {
        case "create", "update", "patch", "delete", "deletecollection": hasTarget
        default: false
        }
    }

    /// Whether the request is for a resource; unlike a comparison with nil, this copies nothing.
    private var hasTarget: Bool { if case .some = target { true } else { false } }

    /// Whether the request created an object, not a subresource; updates and patches of missing objects create them (201).
    package var isCreation: Bool {
        guard target?.subresource.isEmpty == true else { return false }
        return verb == "create" || (verb == "update" || verb == "patch") && status?.code == 201
    }

    /// Whether the objects of the event are credentials, which must never leave this machine.
    package var isSecret: Bool { target?.isSecret ?? false }
}

extension AuditTarget {
    /// Whether the object is a policy, a tier or a network set, and not a subresource of one.
    package var isOfPolicies: Bool {
        guard subresource.isEmpty else { return false }
        return AuditResource.role(of: self) == .policy || resource == "networksets" || resource == "globalnetworksets"
    }

    /// Whether objects of the resource are credentials, or contain some.
    package var isSecret: Bool {
        switch resource {
        case "secrets", "tokenreviews", "tokenrequests", "certificatesigningrequests": true
        case "serviceaccounts": subresource == "token"
        default: false
        }
    }
}
