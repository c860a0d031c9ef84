import Foundation
import Lab
import Testing

/// `weir detach` as an operator uses it: beside a run, after one, and where nothing is left; and a second run.
@Suite(.serialized, .needsRoot)
struct DetachCommandTests {
    @Test(arguments: ["auto", "clsact"])
    func removesStateOfEndedRunOnly(_ attach: String) throws {
        let folder = try TemporaryFolder()
        let bpffs = try BPFFileSystem()
        let cable = try Cable()
        func detach() throws -> (status: Int32?, output: String, errors: String) {
            let process = try cable.node.start([WeirProgram.path, "detach", "--bpffs", bpffs.path], keepingIn: folder)
            let status = process.wait()
            return (status, process.output, process.errors)
        }
        let weir = try WeirRun(in: cable.node, folder, ["--pin", "--bpffs", bpffs.path, "--attach", attach])
        #expect(try detach() == (1, "", "error: weir (process \(weir.process.id)) counts here: end it first\n"))
        // A second run reports the same process, and makes no file.
        let store = folder.file("flows.db")
        let config = folder.file("weir.yaml")
        try "store: \(store)\noutput: stdout\n".write(toFile: config, atomically: true, encoding: .utf8)
        let options = ["--config", config, "--bpffs", bpffs.path]
        let second = try cable.node.start([WeirProgram.path, "run"] + options, keepingIn: folder)
        #expect(second.wait() == 1)
        let said = """
            error: another weir (process \(weir.process.id)) counts in this network namespace: end it first, or run this one with \
            --no-pin to count beside it\n
            """
        #expect(second.errors == said && second.output == "")
        #expect(!folder.has("flows.db"))
        try weir.finish()
        let removal = try detach()
        #expect(removal.status == 0 && removal.errors == "")
        #expect(removal.output.hasPrefix("detached from eth0\nremoved \(bpffs.path)/weir/"), "\(removal.output)")
        #expect(!FileManager.default.fileExists(atPath: bpffs.path + "/weir"))
        #expect(try !cable.node.command(["tc", "qdisc", "show", "dev", "eth0"]).contains("clsact"))
        #expect(try detach() == (0, "nothing to remove\n", ""))
    }
}
