import CWeir
import Glibc

/// Runs a program on a packet without sending anything (BPF_PROG_TEST_RUN).
package enum ProgramTestRun {
    /// The result of a run.
    package struct Result {
        /// The program's verdict.
        package var verdict: Int32
        /// Mean time of one run, ns, the harness's own included.
        package var nanoseconds: UInt32
    }

    /// Runs a traffic-control program.
    ///
    /// - Parameters:
    ///   - program: its descriptor.
    ///   - frame: an Ethernet frame of at least 14 bytes.
    ///   - ifindex: the interface of the packet; must exist in this namespace.
    ///   - gso: size and number of segments that make the frame a super-packet.
    ///   - times: the number of runs on the same frame.
    /// - Returns: the last verdict, and the time.
    /// - Throws: ``DatapathError/system(operation:errno:advice:)``, as when the interface does not exist.
    package static func run(
        _ program: Int32,
        frame: [UInt8],
        ifindex: UInt32 = 1,
        gso: (size: UInt32, segments: UInt32) = (0, 0),
        times: Int32 = 1
    ) throws(DatapathError) -> Result {
        var verdict: UInt32 = 0
        var nanoseconds: UInt32 = 0
        let result = unsafe frame.withUnsafeBytes { bytes in
            var input = unsafe weir_test_frame(
                bytes: bytes.baseAddress,
                size: UInt32(bytes.count),
                ifindex: ifindex,
                gso_size: gso.size,
                gso_segs: gso.segments
            )
            return unsafe weir_test_run(program, &input, times, &verdict, &nanoseconds)
        }
        try checked("run a program on a packet", result)
        return Result(verdict: Int32(bitPattern: verdict), nanoseconds: nanoseconds)
    }
}
