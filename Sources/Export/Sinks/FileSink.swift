import Glibc
import Posix

/// Lines at the end of a file, which is made if need be.
///
/// A write that takes only a part (a full disk) goes on at the very next byte later. If the agent must stop before
/// that, the part of a line is cut off again; if it died there, the next start ends that line first.
final class FileSink: Sink {
    /// The most bytes of one write, so that a stop is noticed in between.
    private static let writeLimit = 1 << 20

    let resumption = SinkResumption.sameByte
    private let path: String
    private var descriptor: FileDescriptor?

    /// Makes a sink that is not open.
    init(path: String) {
        self.path = path
    }

    func open() throws(SinkFailure) -> SinkProgress {
        do {
            let file = try TrustedFile.open(path, O_APPEND)
            let status = try file.status()
            if status.type == S_IFREG, status.size > 0 {
                let reader = try file.reopened(O_RDONLY | O_NONBLOCK)
                if try reader.byte(at: status.size - 1) != UInt8(ascii: "\n") {
                    try Self.endLine(of: file)
                }
            }
            descriptor = consume file
            return .ready
        } catch let error as FileError {
            throw SinkFailure(error.reason, .reopen, advice: error.advice)
        } catch {
            throw SinkFailure("\(error)", .reopen)
        }
    }

    /// Ends a line that an earlier run left torn.
    private static func endLine(of file: borrowing FileDescriptor) throws(SystemError) {
        let newline = [UInt8(ascii: "\n")]
        _ = try newline.withUnsafeBufferPointer { bytes throws(SystemError) in
            try file.write(UnsafeRawBufferPointer(bytes))
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> SinkWrite {
        do throws(SystemError) {
            let part = UnsafeRawBufferPointer(rebasing: bytes.prefix(Self.writeLimit))
            guard let written = try descriptor?.write(part) else { throw SystemError("write", code: EBADF) }
            return .accepted(written)
        } catch  where error.code == EAGAIN {
            return .blocked
        } catch {
            throw SinkFailure(error, .retry)
        }
    }

    func pollEntry(for interest: DeliveryMachine.Interest) -> PollEntry? {
        interest == .writing ? descriptor?.pollEntry(Int32(POLLOUT)) : nil
    }

    var hangUp: SinkFailure? { nil }

    func close(tornBytes: Int) {
        if tornBytes > 0 { cutOff(tornBytes) }
        descriptor = nil
    }

    /// Removes the last bytes of the file if they are what was written last.
    private func cutOff(_ count: Int) {
        guard let size = try? descriptor?.status().size, let position = try? descriptor?.position() else { return }
        // Somebody else has appended since: the bytes before are not ours to move.
        guard size == position, size >= count else { return }
        try? descriptor?.truncate(to: size - count)
    }
}
