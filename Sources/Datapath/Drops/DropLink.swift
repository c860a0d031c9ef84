import CWeir
import Glibc

/// The link of the program that counts drops to its tracepoint.
///
/// The program of a link to a tracepoint cannot be replaced. A link that a previous agent pinned stays if it runs the same
/// instructions with the same maps and configuration; else it is replaced, and drops are not counted for an instant.
final class DropLink {
    private let descriptor: FileDescriptor
    private let program: FileDescriptor
    private let pins: PinFolder?

    /// Attaches a program, or keeps the link that a previous agent pinned.
    init(_ program: Int32, _ pins: PinFolder?, isSame: Bool) throws(DatapathError) {
        self.pins = pins
        if let pins, let link = PinFolder.link(at: pins.dropLink) {
            // The program is pinned, too: finding it by its number requires CAP_SYS_ADMIN.
            if isSame, let running = PinFolder.link(at: pins.dropProgram),
                Self.info(running.number)?.id == Self.program(of: link.number),
                Self.tag(running.number) == Self.tag(program)
            {
                descriptor = link
                self.program = running
                return
            }
            pins.unlinkDrop()
        }
        let number = bpf_raw_tracepoint_open(nil, program)
        let link = FileDescriptor(owning: try checked("attach to the tracepoint of dropped packets", number))
        if let pins {
            pins.unlinkDrop()
            try PinFolder.pin(program, at: pins.dropProgram)
            try PinFolder.pin(link.number, at: pins.dropLink)
        }
        let copy = try systemCall("keep the program for drops") { fcntl(program, F_DUPFD_CLOEXEC, 0) }
        descriptor = link
        self.program = FileDescriptor(owning: copy)
    }

    deinit {
        if let pins, !pins.isLeft { pins.unlinkDrop() }
    }

    /// The descriptor of the program that runs there.
    var runningProgram: Int32 { program.number }

    /// The number of drops that the kernel did not let the program examine.
    var missed: UInt64 { Self.info(program.number)?.recursion_misses ?? 0 }

    /// The kernel's identifier of a link's program; nil if it cannot be read.
    private static func program(of link: Int32) -> UInt32? {
        var info = bpf_link_info()
        var size = UInt32(MemoryLayout<bpf_link_info>.size)
        return unsafe bpf_obj_get_info_by_fd(link, &info, &size) == 0 ? info.prog_id : nil
    }

    /// The hash of a program's instructions.
    private static func tag(_ program: Int32) -> [UInt8]? {
        guard let tag = info(program)?.tag else { return nil }
        return unsafe withUnsafeBytes(of: tag) { unsafe Array($0) }
    }

    private static func info(_ program: Int32) -> bpf_prog_info? {
        var info = bpf_prog_info()
        var size = UInt32(MemoryLayout<bpf_prog_info>.size)
        return unsafe bpf_obj_get_info_by_fd(program, &info, &size) == 0 ? info : nil
    }
}
