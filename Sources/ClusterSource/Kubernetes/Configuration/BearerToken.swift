import Foundation
import Glibc
import Synchronization

/// The bearer token of a client, which is reread because its file changes.
///
/// Kubernetes replaces the token of a pod's service account before it expires (after an hour by default), under the same
/// path.
final class BearerToken: Sendable {
    /// The source of the token.
    enum Origin: Sendable, Hashable {
        case fixed(String)
        case file(String)
    }

    /// The time after which the file is read again.
    static let lifetime = Duration.seconds(60)

    private struct State {
        var token: String
        var readAt: ContinuousClock.Instant
    }

    private let origin: Origin
    private let state: Mutex<State>

    /// Reads the token for the first time; throws if there is none.
    init(_ origin: Origin, place: String) throws(KubernetesError) {
        self.origin = origin
        let text: String
        switch origin {
        case .fixed(let token): text = token
        case .file(let path): text = try readText(path, place: place)
        }
        guard let token = Self.usable(text) else {
            throw KubernetesError(
                place: place,
                problem: "the token is empty or has characters that a token cannot have",
                remedy: "put one line of text there, as kubectl create token prints it"
            )
        }
        state = Mutex(State(token: token, readAt: .now))
    }

    /// The present token; if the file is unreadable, the last token stays.
    func current(at now: ContinuousClock.Instant = .now) -> String {
        guard case .file(let path) = origin else { return state.withLock { $0.token } }
        return state.withLock { state in
            guard now - state.readAt >= Self.lifetime else { return state.token }
            state.readAt = now
            if let text = try? String(contentsOfFile: path, encoding: .utf8), let token = Self.usable(text) {
                state.token = token
            }
            return state.token
        }
    }

    /// Makes the next `current` read the file again, because the server rejected the token.
    func expire() {
        state.withLock { $0.readAt = .now - Self.lifetime }
    }

    /// A token that is valid in a header (RFC 6750, section 2.1): visible ASCII only.
    private static func usable(_ text: String) -> String? {
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        return !token.isEmpty && token.utf8.allSatisfy { 0x21...0x7e ~= $0 } ? token : nil
    }
}

/// Reads a whole file; `place` is the place in the configuration that names it.
func readText(_ path: String, place: String) throws(KubernetesError) -> String {
    String(decoding: try readBytes(path, place: place), as: UTF8.self)
}

/// Reads a whole file; `place` is the place in the configuration that names it.
func readBytes(_ path: String, place: String) throws(KubernetesError) -> [UInt8] {
    if let data = FileManager.default.contents(atPath: path) { return Array(data) }
    // Foundation does not report the reason.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    let reason = descriptor < 0 ? String(cString: strerror(errno)).lowercased() : "not a file"
    if descriptor >= 0 { close(descriptor) }
    throw KubernetesError(
        place: place,
        problem: "cannot read \(path): \(reason)",
        remedy: "make it a file that this user can read"
    )
}
