/// The outcome of a request.
package enum AuditOutcome: String, Sendable, CaseIterable {
    /// The request succeeded.
    case done
    /// The request would have succeeded, but was a dry run: nothing changed.
    case dryRun = "dry-run"
    /// The user is not permitted to make the request (401, 403).
    case denied
    /// The request conflicts with the object's present state (409).
    case conflict
    /// The request failed for another reason.
    case failed
    /// The server's handler crashed; it is not known whether something changed.
    case panicked
    /// The final stage is not in the log; it is not known whether something changed.
    case unfinished

    /// Whether the request changed nothing.
    package var changesNothing: Bool {
        switch self {
        case .dryRun, .denied, .conflict, .failed: true
        case .done, .panicked, .unfinished: false
        }
    }
}

extension AuditEvent {
    /// The outcome of the request, as far as this stage shows it.
    package var outcome: AuditOutcome {
        if stage == .panic { return .panicked }
        guard stage != .requestReceived, let code = status?.code, code > 0 else { return .unfinished }
        switch code {
        case 200..<400: return isDryRun ? .dryRun : .done
        case 401, 403: return .denied
        case 409: return .conflict
        default: return .failed
        }
    }
}
