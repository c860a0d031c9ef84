import CWeir
import FlowModel

/// A pinned map of another version: elements as bytes, read at offsets.
struct DescribedMap: ~Copyable {
    private let descriptor: FileDescriptor
    /// Bytes of an element.
    let size: Int

    /// Opens a pinned map; nil if it is not there.
    init?(_ path: String) {
        let number = unsafe bpf_obj_get(path)
        guard number >= 0 else { return nil }
        let owner = FileDescriptor(owning: number)
        var info = bpf_map_info()
        var length = UInt32(MemoryLayout<bpf_map_info>.size)
        guard unsafe bpf_obj_get_info_by_fd(number, &info, &length) == 0, info.type == BPF_MAP_TYPE_ARRAY.rawValue
        else { return nil }
        descriptor = owner
        size = Int(info.value_size)
    }

    /// The element at an index; nil if there is none.
    subscript(index: Int) -> DescribedValue? {
        var key = UInt32(clamping: index)
        // The kernel writes multiples of 8.
        var bytes = [UInt8](repeating: 0, count: (size + 7) & ~7)
        let result = unsafe bytes.withUnsafeMutableBytes { bytes in
            unsafe bpf_map_lookup_elem(descriptor.number, &key, bytes.baseAddress)
        }
        return result == 0 ? DescribedValue(bytes: bytes) : nil
    }

    /// Replaces the element at an index.
    func store(_ value: DescribedValue, at index: Int) {
        var key = UInt32(clamping: index)
        unsafe value.bytes.withUnsafeBytes { bytes in
            _ = unsafe bpf_map_update_elem(descriptor.number, &key, bytes.baseAddress, UInt64(BPF_ANY))
        }
    }
}

/// An element of a map of another version.
struct DescribedValue {
    fileprivate var bytes: [UInt8]

    fileprivate init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Takes the bytes of a struct.
    init(of value: some BitwiseCopyable) {
        bytes = unsafe withUnsafeBytes(of: value) { unsafe Array($0) }
    }

    /// A number; 0 behind the end.
    private func number<Number: FixedWidthInteger & BitwiseCopyable>(_ offset: Int) -> Number {
        guard offset >= 0, offset + MemoryLayout<Number>.size <= bytes.count else { return 0 }
        return unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(fromByteOffset: offset, as: Number.self) }
    }

    /// 4 bytes.
    func word(_ offset: Int) -> UInt32 { number(offset) }

    /// 8 bytes.
    func long(_ offset: Int) -> UInt64 { number(offset) }

    /// The pair of packets and bytes at an index of an array of pairs.
    func pair(_ offset: Int, at index: Int = 0) -> TrafficCounters {
        TrafficCounters(packets: long(offset + index * 16), bytes: long(offset + index * 16 + 8))
    }

    /// Zeroes bytes, as far as they are there.
    mutating func clear(_ offset: UInt32, size: UInt32) {
        for place in Int(offset)..<Int(offset) + Int(size) where place < bytes.count { bytes[place] = 0 }
    }

    /// The whole as a struct; nil if it is longer.
    func load<Value: BitwiseCopyable>(_ type: Value.Type) -> Value? {
        guard MemoryLayout<Value>.size <= bytes.count else { return nil }
        return unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(as: type) }
    }

    /// Text that ends with 0.
    func text(_ offset: UInt32, size: UInt32) -> String {
        let bytes = bytes.dropFirst(Int(offset)).prefix(Int(size)).prefix { $0 != 0 }
        return String(decoding: bytes, as: UTF8.self)
    }
}
