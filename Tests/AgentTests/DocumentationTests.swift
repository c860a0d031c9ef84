import Foundation
import Testing

/// The examples of README.md and docs run as they are written, from the top of a clone, and print the output that is shown.
///
/// A block of `console` has commands behind `$ ` and their output, with `…` for omitted parts. A block of `sh` has commands
/// that succeed. A block that cannot run here declares its needs behind `sh` or `console`, as in `sh needs=cluster`. A block of
/// `yaml` with a path behind it is that file.
@Suite struct DocumentationTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// A block between fences.
    struct Block: Sendable, CustomTestStringConvertible {
        var file: String
        var line: Int
        var info: [String]
        var lines: [String]

        var testDescription: String { "\(file):\(line)" }
        var language: String { info.first ?? "" }
        var needs: String? { info.first { $0.hasPrefix("needs=") }.map { String($0.dropFirst(6)) } }
    }

    /// A command and its output.
    struct Example: Sendable, CustomTestStringConvertible {
        var place: String
        var command: String
        var output: [String]

        var testDescription: String { "\(place) \(command)" }
    }

    /// The needs of blocks that this machine does not meet.
    private static let needs: Set<String> = ["root", "cluster", "interrupt", "report", "server"]

    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    private static let blocks: [Block] = {
        let docs = (try? FileManager.default.subpathsOfDirectory(atPath: root + "/docs")) ?? []
        let files =
            ["README.md", "CONTRIBUTING.md"] + docs.filter { $0.hasSuffix(".md") }.sorted().map { "docs/\($0)" }
        return files.flatMap { fences(in: $0) }
    }()

    private static func fences(in file: String) -> [Block] {
        let text = (try? String(contentsOfFile: "\(root)/\(file)", encoding: .utf8)) ?? ""
        var blocks: [Block] = []
        var open: Block?
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init).enumerated()
        {
            guard line.hasPrefix("```") else {
                open?.lines.append(line)
                continue
            }
            if let block = open {
                blocks.append(block)
                open = nil
            } else {
                let info = line.dropFirst(3).split(separator: " ").map(String.init)
                open = Block(file: file, line: index + 1, info: info, lines: [])
            }
        }
        return blocks
    }

    static let examples: [Example] = blocks.filter { $0.language == "console" && $0.needs == nil }.flatMap { block in
        var examples: [Example] = []
        var isContinued = false
        for (index, line) in block.lines.enumerated() {
            if isContinued {
                examples[examples.count - 1].command += "\n" + line
            } else if line.hasPrefix("$ ") {
                let place = "\(block.file):\(block.line + index + 1)"
                examples.append(Example(place: place, command: String(line.dropFirst(2)), output: []))
            } else if !examples.isEmpty {
                examples[examples.count - 1].output.append(line)
            }
            isContinued = (isContinued || line.hasPrefix("$ ")) && line.hasSuffix("\\")
        }
        return examples
    }

    static let scripts: [Block] = blocks.filter { $0.language == "sh" && $0.needs == nil }

    /// Runs a script at the top of the clone, with `weir` in `PATH`, and returns its exit status and output.
    private func run(_ script: String) throws -> (status: Int32, output: String) {
        let bin = folder.file("bin")
        try FileManager.default.createDirectory(atPath: bin, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: bin + "/weir", withDestinationPath: WeirProgram.path)
        let text = "cd '\(Self.root)' || exit 99\nPATH='\(bin)':$PATH\nexec 2>&1\n\(script)\n"
        let process = try ChildProcess(["sh", "-c", text], keepingIn: folder)
        let status = try #require(process.wait())
        return (status, process.output)
    }

    @Test(arguments: examples)
    func examplesPrintDocumentedOutput(_ example: Example) throws {
        let (status, output) = try run(example.command)
        #expect(status < 2, "\(output)")
        let lines = output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        #expect(Self.matches(lines, example.output), "\(example.place)\n\(output)")
    }

    @Test(arguments: scripts)
    func scriptsSucceed(_ block: Block) throws {
        let (status, output) = try run("set -eu\n" + block.lines.joined(separator: "\n"))
        #expect(status == 0, "\(block.testDescription)\n\(output)")
    }

    @Test func blocksDeclareKnownNeeds() {
        for block in Self.blocks where block.needs != nil {
            #expect(Self.needs.contains(block.needs ?? ""), "\(block.testDescription): needs=\(block.needs ?? "")")
        }
        #expect(Self.examples.count >= 8 && !Self.scripts.isEmpty)
    }

    @Test func yamlBlocksEqualTheirFiles() throws {
        let shown = Self.blocks.filter { $0.language == "yaml" && $0.info.count == 2 }
        #expect(!shown.isEmpty)
        for block in shown {
            let text = try String(contentsOfFile: "\(Self.root)/\(block.info[1])", encoding: .utf8)
            #expect(
                text == block.lines.joined(separator: "\n") + "\n",
                "\(block.testDescription) is not \(block.info[1])"
            )
        }
    }

    // MARK: Comparing

    /// Whether lines match the expected ones, where a line `…` stands for any lines and a `…` within one for any text.
    static func matches(_ lines: [String], _ expected: [String]) -> Bool {
        func trimmed(_ lines: [String]) -> ArraySlice<String> {
            lines.lastIndex { !$0.isEmpty }.map { lines[...$0] } ?? []
        }
        return matches(trimmed(lines), trimmed(expected))
    }

    private static func matches(_ lines: ArraySlice<String>, _ expected: ArraySlice<String>) -> Bool {
        guard let first = expected.first else { return lines.isEmpty }
        let rest = expected.dropFirst()
        if first.trimmingCharacters(in: .whitespaces) == "…" {
            return (0...lines.count).contains { matches(lines.dropFirst($0), rest) }
        }
        guard let line = lines.first, matches(line, first) else { return false }
        return matches(lines.dropFirst(), rest)
    }

    private static func matches(_ line: String, _ expected: String) -> Bool {
        let parts = expected.components(separatedBy: "…")
        guard parts.count > 1, let head = parts.first, let tail = parts.last else { return line == expected }
        guard line.hasPrefix(head), line.count >= head.count + tail.count, line.hasSuffix(tail) else { return false }
        var rest = line.dropFirst(head.count).dropLast(tail.count)
        for part in parts.dropFirst().dropLast() {
            guard let found = rest.range(of: part) else { return false }
            rest = rest[found.upperBound...]
        }
        return true
    }

    @Test func comparisonAcceptsEllipses() {
        #expect(Self.matches(["a", "b", "c", ""], ["a", "…", "c"]))
        #expect(Self.matches(["a", "c"], ["a", "  …", "c", ""]))
        #expect(Self.matches(["ab cd ef"], ["ab…ef"]))
        #expect(!Self.matches(["a", "b"], ["a"]))
        #expect(!Self.matches(["a"], ["a", "b"]))
        #expect(!Self.matches(["abc"], ["ab…bc"]))
        #expect(!Self.matches(["a", "x"], ["a", "…", "c"]))
    }
}
