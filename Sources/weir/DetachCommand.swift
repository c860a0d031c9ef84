import ArgumentParser
import Datapath

/// `weir detach`: removes everything that runs left in the kernel.
struct DetachCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "detach",
        abstract: "Remove everything that Weir has left in this machine's kernel.",
        discussion: """
            Programs on interfaces, clsact qdiscs that Weir made, and pinned maps, of this network namespace. What was \
            counted and is in no record yet is gone with them: a last 'weir run --duration 1s' reports it, and leaves \
            nothing behind either. Refuses while a run counts here.

            Examples:
              sudo weir detach
              sudo weir detach --all-namespaces
            """
    )

    @Option(help: ArgumentHelp("Where the BPF file system is mounted.", valueName: "path"))
    var bpffs = DatapathConfiguration().bpffs

    @Flag(help: "Remove what is pinned of other network namespaces, too, even while a run counts there.")
    var allNamespaces = false

    func run() throws {
        let removal = try removeAll()
        for name in removal.interfaces { print("detached from \(name)") }
        for folder in removal.folders { print("removed \(folder)") }
        if removal.putsBackGracePeriods { print("set /sys/kernel/rcu_expedited back to 0") }
        if removal.isEmpty { print("nothing to remove") }
    }

    private func removeAll() throws -> Datapath.Removal {
        do {
            return try Datapath.removeAll(bpffs: bpffs, allNamespaces: allNamespaces)
        } catch .running(let pid), .inUse(_, let pid) {
            // The advice of the error is for a second run, and does not apply here.
            let agent = pid > 0 ? "process \(pid)" : "in another container"
            throw CommandFailure(description: "weir (\(agent)) counts here: end it first")
        }
    }
}
