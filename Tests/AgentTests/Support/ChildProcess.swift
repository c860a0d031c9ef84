import Foundation
import Lab
import Testing

/// A program that runs beside the test, in a process group of its own; killed with this object.
final class ChildProcess {
    /// The end of a process: its exit code, or 128 and the signal that killed it.
    typealias Status = Int32

    /// The process, and the process group.
    let id: pid_t
    private let outputPath: String
    private let errorPath: String
    private var status: Status?

    /// Starts a program in the network namespace of the calling thread.
    ///
    /// - Parameters:
    ///   - arguments: the program, found in `PATH`, and its arguments.
    ///   - folder: where its standard output and standard error are kept.
    /// - Throws: if there is no such program.
    init(_ arguments: [String], keepingIn folder: TemporaryFolder) throws {
        outputPath = folder.unusedPath("stdout")
        errorPath = folder.unusedPath("stderr")
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errorPath, O_WRONLY | O_CREAT, 0o600)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The lab's threads block all signals, and other tests may ignore some: the program starts as from a shell.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        defer { words.forEach { free($0) } }
        words.append(nil)
        var id: pid_t = 0
        let code = SpawnLock.start {
            posix_spawnp(&id, arguments.first ?? "", &actions, &attributes, words, environ)
        }
        try #require(code == 0, "\(arguments): \(String(cString: strerror(code)))")
        self.id = id
    }

    deinit {
        signal(SIGKILL)
        _ = wait()
    }

    /// Sends a signal to the process, unless it was waited for.
    func signal(_ number: Int32) {
        if status == nil { kill(id, number) }
    }

    /// Returns the end of the process, or nil if it does not end within the time.
    func wait(within limit: Duration = .seconds(180)) -> Status? {
        eventually(within: limit) { hasEnded } ? status : nil
    }

    /// Whether the process has ended.
    var hasEnded: Bool {
        if status != nil { return true }
        var code: Int32 = 0
        guard waitpid(id, &code, WNOHANG) == id else { return false }
        let signal = code & 0x7f
        status = signal == 0 ? (code >> 8) & 0xff : 128 + signal
        return true
    }

    /// Its standard output so far.
    var output: String { Self.text(outputPath) }

    /// Its standard error so far.
    var errors: String { Self.text(errorPath) }

    private static func text(_ path: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }
}

extension NetworkNamespace {
    /// Starts a program inside the namespace.
    func start(_ arguments: [String], keepingIn folder: TemporaryFolder) throws -> ChildProcess {
        try run { try ChildProcess(arguments, keepingIn: folder) }
    }
}
