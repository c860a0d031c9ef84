import CWeir
import Glibc

/// A grace period: waits until every program that was running has ended.
///
/// An update of a map of maps waits for that before it returns (maybe_wait_bpf_programs, kernel/bpf/syscall.c). Unlike
/// membarrier(2) it also works on kernels with `nohz_full`. It sleeps for some milliseconds and costs no CPU.
package struct Fence: ~Copyable {
    private let outer: Int32
    private let inner: FileDescriptor

    /// Takes the map of maps, which must outlive the fence.
    init(mapOfMaps: Int32) throws(DatapathError) {
        outer = mapOfMaps
        inner = FileDescriptor(
            owning: try checked(
                "create a map for the grace period",
                unsafe bpf_map_create(BPF_MAP_TYPE_ARRAY, "weir_fence", 4, 4, 1, nil)
            )
        )
    }

    /// Returns when every program that was running at the call has ended.
    package func wait() throws(DatapathError) {
        var key: UInt32 = 0
        var value = inner.number
        try checked("wait for running programs", unsafe bpf_map_update_elem(outer, &key, &value, UInt64(BPF_ANY)))
    }
}
