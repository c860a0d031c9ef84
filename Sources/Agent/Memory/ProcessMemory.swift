import CWeir
import Glibc

/// The memory of this process.
enum ProcessMemory {
    /// Configures the allocation of memory; must be called before there are threads.
    static func settle() {
        weir_malloc_settle()
    }

    /// Gives free memory back to the system; takes some milliseconds.
    static func trim() {
        weir_malloc_trim()
    }

    /// Unmaps resident pages of code: most were needed only at the start, and the others are mapped again when they are used.
    static func releaseCode() {
        weir_code_release()
    }

    /// The resident memory in bytes (`/proc/self/statm`); nil where it cannot be read.
    static var resident: Int? {
        guard let file = fopen("/proc/self/statm", "re") else { return nil }
        defer { fclose(file) }
        var text = [CChar](repeating: 0, count: 128)
        guard fgets(&text, Int32(text.count), file) != nil else { return nil }
        let words = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(
            separator: " "
        )
        guard words.count > 1, let pages = Int(words[1]) else { return nil }
        return pages * Int(getpagesize())
    }
}
