import Foundation
import Glibc

/// The file for records that a server rejects permanently, each with the reason; it is rotated like other files.
final class DeadLetters {
    private let output: String
    private let sink: FileSink?
    private var isOpen = false

    /// Takes the options of an output; without a path, the records are dropped.
    init(_ options: OutputOptions, output: String) {
        self.output = output
        sink = options.http.deadLetterPath.map { FileSink(path: $0, options: options) }
    }

    /// Appends a record, which is one JSON object.
    ///
    /// - Returns: the error if it cannot be written, reported once; nil otherwise.
    func add(_ line: ArraySlice<UInt8>, _ reason: String) -> String? {
        guard let sink else { return nil }
        do throws(SinkFailure) {
            if !isOpen { _ = try sink.open() }
            isOpen = true
            let head = ["output": output, "reason": String(reason.prefix(500))]
            let json = (try? JSONSerialization.data(withJSONObject: head, options: [.sortedKeys])) ?? Data("{}".utf8)
            let text = Array(json.dropLast()) + Array(",\"record\":".utf8) + line + Array("}\n".utf8)
            var rest = text[...]
            while !rest.isEmpty {
                let outcome = try rest.withUnsafeBufferPointer { bytes throws(SinkFailure) in
                    try sink.write(UnsafeRawBufferPointer(bytes))
                }
                guard case .accepted(let count, _) = outcome else { break }
                rest = rest.dropFirst(count)
            }
            return nil
        } catch {
            close()
            return "a refused record is not kept: \(error.reason)"
        }
    }

    /// Closes the file; the next record reopens it.
    func close() {
        if isOpen { sink?.close(tornBytes: 0) }
        isOpen = false
    }
}
