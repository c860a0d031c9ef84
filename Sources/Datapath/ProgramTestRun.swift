import CWeir
import Glibc

/// Runs a program on a packet without sending anything (BPF_PROG_TEST_RUN).
package enum ProgramTestRun {
    /// What a run gave.
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
    ///   - ifindex: the interface that it is to see; must exist in this namespace.
    ///   - gso: size and number of segments that make the frame a super-packet.
    ///   - times: how often it runs on the same frame.
    /// - Returns: the last verdict, and the time.
    /// - Throws: ``DatapathError/system(operation:errno:advice:)``, as when the interface does not exist.
    package static func run(
        _ program: Int32,
        frame: [UInt8],
        ifindex: UInt32 = 1,
        gso: (size: UInt32, segments: UInt32) = (0, 0),
        times: Int32 = 1
    ) throws(DatapathError) -> Result {
        var context = unsafe __sk_buff()
        unsafe context.ifindex = ifindex
        unsafe context.gso_size = gso.size
        unsafe context.gso_segs = gso.segments
        var options = unsafe bpf_test_run_opts()
        unsafe options.sz = MemoryLayout<bpf_test_run_opts>.size
        unsafe options.data_size_in = UInt32(frame.count)
        unsafe options.ctx_size_in = UInt32(MemoryLayout<__sk_buff>.size)
        unsafe options.repeat = times
        let result = unsafe frame.withUnsafeBytes { bytes in
            unsafe withUnsafePointer(to: &context) { context in
                unsafe options.data_in = bytes.baseAddress
                unsafe options.ctx_in = UnsafeRawPointer(context)
                return unsafe bpf_prog_test_run_opts(program, &options)
            }
        }
        try checked("run a program on a packet", result)
        return unsafe Result(verdict: Int32(bitPattern: options.retval), nanoseconds: options.duration)
    }
}
