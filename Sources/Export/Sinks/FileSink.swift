import Glibc
import Posix

/// Appends lines to a file, which is created if necessary and rotated by size and age.
///
/// After a partial write (a full disk), writing continues at the next byte. If the agent stops before that, the incomplete line
/// is removed; after a kill, the next start removes it. If another process moves or truncates the file (logrotate), the next
/// line goes to the file with that name.
final class FileSink: Sink {
    /// The maximum size of one write in bytes, so that a stop is noticed in between.
    private static let writeLimit = 1 << 20
    /// The time after a failed rotation until the next attempt.
    private static let rotationPause = Duration.seconds(10)

    let resumption = SinkResumption.sameByte
    private let path: String
    private let options: OutputOptions
    private let rotated: RotatedFiles
    private var file: FileDescriptor?
    private var identity: FileIdentity?
    /// Whether the path is a regular file, which has a size and can be rotated.
    private var isRegular = false
    private var size = 0
    private var isAtLineStart = true
    private var mustReopen = false
    private var begun = ContinuousClock.now
    private var opened = ContinuousClock.now
    private var nextRotation: ContinuousClock.Instant?
    private var notices: [String] = []

    /// Creates a sink that is not open.
    init(path: String, options: OutputOptions = OutputOptions()) {
        self.path = path
        self.options = options
        rotated = RotatedFiles(path: path, rotation: options.rotation)
    }

    func open() throws(SinkFailure) -> SinkProgress {
        do {
            let file = try TrustedFile.open(path, O_APPEND, followsLinks: false)
            isRegular = try file.status().type == S_IFREG
            if isRegular {
                try TornLine.repair(try file.reopened(O_RDWR | O_APPEND))
                if try file.status().size == 0 { try? file.setPermissions(mode_t(options.fileMode)) }
            }
            let identity = try file.identity()
            self.identity = identity
            size = identity.size
            isAtLineStart = true
            mustReopen = false
            opened = .now
            begun = opened - ageOfFile()
            self.file = consume file
            return .ready
        } catch let error as FileError {
            throw SinkFailure(error.reason, .reopen, advice: error.advice)
        } catch {
            throw SinkFailure("\(error)", .reopen)
        }
    }

    /// The age of the file's content, which begins with the last rotation.
    private func ageOfFile() -> Duration {
        guard isRegular, size > 0, options.rotation.maximumAge != nil, let newest = rotated.newest else { return .zero }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return .milliseconds(max(0, Int64(now.tv_sec) * 1000 - newest))
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> SinkWrite {
        if isRegular, try prepare(bytes) == .restartLine { return .restartLine }
        do throws(SystemError) {
            let part = part(of: bytes)
            guard let written = try file?.write(part) else { throw SystemError("write", code: EBADF) }
            size += written
            if written > 0 { isAtLineStart = part[written - 1] == newline }
            return .accepted(written)
        } catch  where error.code == EAGAIN {
            return .blocked
        } catch {
            throw SinkFailure(error, .retry)
        }
    }

    func pollEntry(for interest: DeliveryMachine.Interest) -> PollEntry? {
        interest == .writing ? file?.pollEntry(Int32(POLLOUT)) : nil
    }

    func hangUp() -> SinkFailure? { nil }

    func reopen() {
        mustReopen = true
    }

    func takeNotices() -> [String] {
        defer { notices = [] }
        return notices
    }

    func close(tornBytes: Int) {
        if tornBytes > 0 { cutOff(tornBytes) }
        file = nil
    }

    /// Removes the last bytes of the file, if this sink wrote them.
    private func cutOff(_ count: Int) {
        guard let size = try? file?.status().size, let position = try? file?.position() else { return }
        // If another process has appended since, the earlier bytes must stay.
        guard size == position, size >= count else { return }
        try? file?.truncate(to: size - count)
    }
}

/// The end of a line.
private let newline = UInt8(ascii: "\n")

// MARK: - Rotation

extension FileSink {
    /// Ensures that the file at the path is open and has room for the next line.
    ///
    /// - Returns: `restartLine` if another process cut off the beginning of the current line.
    private func prepare(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> SinkWrite {
        guard let now = try? file?.identity() else { return .blocked }
        if now.size < size, !isAtLineStart {
            (size, isAtLineStart) = (now.size, true)
            return .restartLine
        }
        size = now.size
        guard isAtLineStart else { return .accepted(0) }
        if mustReopen || FolderEntry.identity(of: path)?.isSame(as: now) != true {
            let wasAsked = mustReopen
            file = nil
            _ = try open()
            if !wasAsked { notices.append("the file was renamed or removed: a new one is opened under its name") }
        }
        // The path may not be a regular file after reopening.
        if isRegular, isRotationDue(before: bytes) { try rotate() }
        return .accepted(0)
    }

    private func isRotationDue(before bytes: UnsafeRawBufferPointer) -> Bool {
        let now = ContinuousClock.now
        guard size > 0 else {
            begun = now
            return false
        }
        if let nextRotation, now < nextRotation { return false }
        if let age = options.rotation.maximumAge, now - begun >= age, now - opened >= options.rotation.minimumAge {
            return true
        }
        guard let maximum = options.rotation.maximumBytes else { return false }
        let line = (bytes.firstIndex(of: newline) ?? bytes.count) + 1
        let isYoung = now - opened < options.rotation.minimumAge
        return size + line > (isYoung ? maximum * FileRotation.burst : maximum)
    }

    private func rotate() throws(SinkFailure) {
        do throws(SystemError) {
            try rotated.add(path)
            nextRotation = nil
        } catch {
            nextRotation = .now + Self.rotationPause
            notices.append("the file cannot be rotated, and grows: \(error)")
            return
        }
        file = nil
        _ = try open()
        begun = opened
        notices += rotated.tidy()
    }

    /// Returns the next bytes to write: complete lines that fit, at least one, or the rest of a line.
    ///
    /// Complete lines are written even without a size limit, so that a program that moves or copies the file between two writes
    /// splits no line.
    private func part(of bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard isRegular else { return UnsafeRawBufferPointer(rebasing: bytes.prefix(Self.writeLimit)) }
        let first = min(bytes.count, (bytes.firstIndex(of: newline) ?? bytes.count) + 1)
        guard isAtLineStart, first < bytes.count else { return UnsafeRawBufferPointer(rebasing: bytes[..<first]) }
        let isYoung = ContinuousClock.now - opened < options.rotation.minimumAge || nextRotation != nil
        let room = options.rotation.maximumBytes.map { (isYoung ? $0 * FileRotation.burst : $0) - size } ?? bytes.count
        let limit = min(bytes.count, Self.writeLimit, max(room, first))
        let end = bytes[..<limit].lastIndex(of: newline).map { $0 + 1 } ?? first
        return UnsafeRawBufferPointer(rebasing: bytes[..<max(end, first)])
    }
}
