import Glibc

/// The memory of a `BPF_F_MMAPABLE` array, shared with the kernel, as elements of one type.
///
/// `@safe`: the memory lives as long as the owner, and an index is checked by ``subscript(_:)``.
@safe
package struct MappedMap<Element: BitwiseCopyable>: ~Copyable {
    /// The first element.
    package let base: UnsafeMutablePointer<Element>
    /// How many elements there are.
    package let count: Int

    /// Maps an array map (mmap); `count` is its `max_entries`, and `Element` must have its value size.
    ///
    /// The descriptor is not needed afterwards.
    init(descriptor: Int32, name: String, count: Int) throws(DatapathError) {
        let bytes = count * MemoryLayout<Element>.stride
        let memory = unsafe mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        guard let memory = unsafe memory, unsafe memory != MAP_FAILED else {
            throw .system(operation: "map \(name) into memory (\(bytes) bytes)", errno: errno, advice: "")
        }
        unsafe base = memory.bindMemory(to: Element.self, capacity: count)
        self.count = count
    }

    deinit {
        unsafe munmap(base, count * MemoryLayout<Element>.stride)
    }

    /// A pointer to one element.
    package subscript(index: Int) -> UnsafeMutablePointer<Element> {
        precondition(index >= 0 && index < count, "map index out of range")
        return unsafe base + index
    }
}
