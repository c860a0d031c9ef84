import Glibc

/// The memory of a `BPF_F_MMAPABLE` array, shared with the kernel, as elements of one type.
///
/// The kernel maps every page of a mapping at once, so that all of a large array would count as resident memory. A map of which
/// few places are used is therefore mapped piece by piece, with ``need(_:)``.
///
/// `@safe`: the memory lives as long as the owner, and an index is checked by ``subscript(_:)``.
@safe
package struct MappedMap<Element: BitwiseCopyable>: ~Copyable {
    /// The first element.
    package let base: UnsafeMutablePointer<Element>
    /// The number of elements.
    package let count: Int

    private let descriptor: FileDescriptor
    /// Whether a piece is mapped, by piece.
    private let mapped: UnsafeMutablePointer<Bool>
    private let pieces: Int
    /// log2 of the elements of a piece.
    private let pieceShift: Int

    /// The least bytes of a piece, and the most pieces: a process may have some 65,000 mappings (`vm.max_map_count`).
    private static var minimumPieceBytes: Int { 16 << 10 }
    private static var maximumPieces: Int { 1024 }

    /// A power of two, so that an element's piece is a shift away.
    private static func pieceBytes(of bytes: Int) -> Int {
        let least = max(minimumPieceBytes, (bytes + maximumPieces - 1) / maximumPieces)
        return 1 << (Int.bitWidth - (least - 1).leadingZeroBitCount)
    }

    /// Maps an array map (mmap).
    ///
    /// - Parameters:
    ///   - descriptor: the map's; it is not needed afterwards.
    ///   - name: for errors.
    ///   - count: its `max_entries`; `Element` must have its value size.
    ///   - isSparse: maps nothing yet; then the size of an element must be a power of two.
    /// - Throws: ``DatapathError/system(operation:errno:advice:)`` if the kernel refuses.
    init(descriptor: Int32, name: String, count: Int, isSparse: Bool = false) throws(DatapathError) {
        let stride = MemoryLayout<Element>.stride
        let bytes = count * stride
        let copy = try systemCall("keep map \(name)") { fcntl(descriptor, F_DUPFD_CLOEXEC, 0) }
        let owner = FileDescriptor(owning: copy)
        let memory =
            isSparse
            ? unsafe mmap(nil, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
            : unsafe mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        guard let memory = unsafe memory, unsafe memory != MAP_FAILED else {
            throw .system(operation: "map \(name) into memory (\(bytes) bytes)", errno: errno, advice: "")
        }
        let pieceBytes = isSparse ? Self.pieceBytes(of: bytes) : bytes
        pieces = max(1, (bytes + pieceBytes - 1) / pieceBytes)
        pieceShift = isSparse ? (pieceBytes / stride).trailingZeroBitCount : Int.bitWidth - 1
        unsafe mapped = .allocate(capacity: pieces)
        unsafe mapped.initialize(repeating: !isSparse, count: pieces)
        self.descriptor = owner
        unsafe base = memory.bindMemory(to: Element.self, capacity: count)
        self.count = count
    }

    deinit {
        unsafe munmap(base, count * MemoryLayout<Element>.stride)
        unsafe mapped.deallocate()
    }

    /// Ensures that an element can be accessed; checks neither index nor element.
    @inline(__always)
    func need(_ index: Int) {
        if unsafe !mapped[index >> pieceShift] { mapPiece(index >> pieceShift) }
    }

    /// Ensures that all elements can be accessed.
    package func needAll() {
        for piece in 0..<pieces { need(piece << pieceShift) }
    }

    @inline(never)
    private func mapPiece(_ piece: Int) {
        let offset = piece * (MemoryLayout<Element>.stride << pieceShift)
        let bytes = min(MemoryLayout<Element>.stride << pieceShift, count * MemoryLayout<Element>.stride - offset)
        let place = unsafe UnsafeMutableRawPointer(base) + offset
        let flags = MAP_SHARED | MAP_FIXED
        let memory = unsafe mmap(place, bytes, PROT_READ | PROT_WRITE, flags, descriptor.number, offset)
        // The whole map could be mapped, and its pieces are few: this fails only on a machine without memory for a page table.
        precondition(unsafe memory == place, "map a piece of the flow table: errno \(errno)")
        unsafe mapped[piece] = true
    }

    /// A pointer to one element.
    package subscript(index: Int) -> UnsafeMutablePointer<Element> {
        precondition(index >= 0 && index < count, "map index out of range")
        need(index)
        return unsafe base + index
    }
}
