import Glibc
import Posix

/// Writes lines to standard output: a file, a socket, a pipe or a terminal.
///
/// The open file is shared with the parent process, and often with standard error, so its flags must not be changed.
final class StandardOutputSink: Sink {
    /// The method of writing without waiting.
    private enum Manner {
        /// A file: a write does not wait.
        case file
        /// A socket: a flag of each call prevents waiting.
        case socket
        /// A pipe or terminal that is opened a second time, as non-blocking.
        case nonBlocking
        /// A pipe or terminal that cannot be opened again: small writes do not block when it is writable.
        case inPieces
    }

    private static let writeLimit = 1 << 20
    /// `PIPE_BUF`: a writable pipe has space for this number of bytes.
    private static let pieceLimit = 4096

    let resumption = SinkResumption.sameByte
    private var descriptor: FileDescriptor?
    private var manner = Manner.file
    /// The ends of lines that may be unread in a pipe; nil for other files.
    private var tail: PipeTail?

    func open() throws(SinkFailure) -> SinkProgress {
        do {
            let output = try FileDescriptor.standardOutput()
            switch try output.status().type {
            case S_IFREG: manner = .file
            case S_IFSOCK: manner = .socket
            default:
                manner = .inPieces
                if try output.status().type == S_IFIFO { tail = PipeTail() }
                if let own = try? output.reopened(O_WRONLY | O_NONBLOCK | O_NOCTTY) {
                    manner = .nonBlocking
                    descriptor = consume own
                    return .ready
                }
            }
            descriptor = consume output
            return .ready
        } catch {
            throw SinkFailure(error, .never)
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> SinkWrite {
        if manner == .inPieces, descriptor?.pollEntry(Int32(POLLOUT)).now().isReady != true {
            if let outcome = descriptor?.pollEntry(0).now(), outcome.isHungUp { throw Self.readerIsGone }
            return .blocked
        }
        let limit = manner == .inPieces ? Self.pieceLimit : Self.writeLimit
        let part = UnsafeRawBufferPointer(rebasing: bytes.prefix(limit))
        do throws(SystemError) {
            let written = try manner == .socket ? descriptor?.send(part) : descriptor?.write(part)
            guard let written else { throw SystemError("write", code: EBADF) }
            tail?.add(part.prefix(written))
            return .accepted(written)
        } catch  where error.code == EAGAIN {
            return .blocked
        } catch  where error.code == EPIPE || error.code == ECONNRESET {
            throw Self.readerIsGone
        } catch  where error.code == EIO && manner != .file {
            throw SinkFailure("its terminal has closed", .never)
        } catch {
            throw SinkFailure(error, .retry)
        }
    }

    func pollEntry(for interest: DeliveryMachine.Interest) -> PollEntry? {
        guard manner != .file else { return nil }
        return switch interest {
        case .nothing, .opening: nil
        case .writing: descriptor?.pollEntry(Int32(POLLOUT))
        case .hangUp: descriptor?.pollEntry(0)
        }
    }

    private static let readerIsGone = SinkFailure("its reader has closed", .never)

    func hangUp() -> SinkFailure? { Self.readerIsGone }

    var unreadLines: Int { tail?.lines(inLast: descriptor?.unreadBytes ?? 0) ?? 0 }

    func close(tornBytes: Int) {
        descriptor = nil
    }
}
