import Audit
import Foundation
import Glibc

/// Measures the memory that reading an event of 10 MB needs, compared with Foundation's reader for the same line.
enum AuditMemoryBenchmark {
    private static let size = 10 << 20

    /// Measures the peak resident memory, MB above the value before.
    static func run(report: (Measurement) -> Void) {
        let ours = peak { read() }
        let theirs = peak {
            let line = Data(head.utf8) + Data(repeating: UInt8(ascii: "x"), count: size) + Data(tail.utf8)
            precondition((try? JSONSerialization.jsonObject(with: line)) != nil, "the line is JSON")
        }
        report(
            Measurement(
                "audit/line-of-10-MB",
                unit: "MB resident",
                value: ours,
                baseline: theirs,
                against: "JSONSerialization of the same line"
            )
        )
    }

    private static let head =
        #"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"1","stage":"ResponseComplete","#
        + #""requestURI":"/x","verb":"patch","user":{"username":"alice"},"objectRef":{"resource":"networkpolicies","#
        + #""namespace":"shop","name":"allow"},"responseStatus":{"code":200},"responseObject":{"kind":"NetworkPolicy","#
        + #""metadata":{"name":"allow","annotations":{"note":""#
    private static let tail = "\"}}}}\n"

    private static func read() {
        var lines = AuditLines()
        var reader = ChangeReader()
        var changes = 0
        func take(_ bytes: [UInt8]) {
            lines.append(bytes)
            while case .bytes(let line)? = lines.next() {
                guard let event = try? AuditEvent(in: lines.buffer.span, line) else { continue }
                if reader.change(event, in: lines.buffer.span) != nil { changes += 1 }
            }
        }
        let chunk = [UInt8](repeating: UInt8(ascii: "x"), count: 256 << 10)
        take(Array(head.utf8))
        for _ in 0..<(size / chunk.count) { take(chunk) }
        take(Array(tail.utf8))
        precondition(changes == 1, "the line is a change")
    }

    /// The peak resident memory while a body runs, MB above the value before.
    ///
    /// 0 if the kernel does not report it (proc(5)).
    private static func peak(_ body: () -> Void) -> Double {
        let before = status("VmRSS:")
        // 5 resets the peak to the current resident memory.
        guard let file = fopen("/proc/self/clear_refs", "w") else { return 0 }
        fputs("5", file)
        fclose(file)
        body()
        return max(0, status("VmHWM:") - before)
    }

    private static func status(_ name: String) -> Double {
        let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
        let kilobytes = line?.split(whereSeparator: { !$0.isNumber }).first.flatMap { Double($0) } ?? 0
        return kilobytes * 1024 / 1e6
    }
}
