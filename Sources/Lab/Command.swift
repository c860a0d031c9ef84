import CWeir
import Glibc

/// Runs a program and waits for its end.
///
/// The program runs in the network namespace of the calling thread.
enum Command {
    /// Runs a program with arguments.
    ///
    /// - Parameters:
    ///   - arguments: the program, which is searched in `PATH` and the system's tool folders, and its arguments.
    ///   - input: the standard input of the program.
    /// - Returns: the standard output and standard error of the program.
    /// - Throws: ``LabError/command(line:status:output:)`` with the output if the program fails. A status of 128 or more means
    ///   that a signal ended it.
    static func run(_ arguments: [String], input: String) throws(LabError) -> String {
        let line = arguments.joined(separator: " ")
        guard let name = arguments.first else { throw .invalid("a command without a program") }
        // Anonymous files instead of pipes: the program can write without a concurrent reader.
        let standardInput = try memoryFile(holding: input)
        let output = try memoryFile(holding: "")
        let process = try start(find(name), arguments, line, standardInput.number, output.number)
        var status: Int32 = 0
        _ = try LabError.check("wait for \(line)") { waitpid(process, &status, 0) }
        let text = try contents(of: output)
        let signal = status & 0x7f
        let code = signal == 0 ? (status >> 8) & 0xff : 128 + signal
        guard code == 0 else { throw .command(line: line, status: code, output: trimmed(text)) }
        return text
    }

    private static func find(_ name: String) throws(LabError) -> String {
        if name.contains("/") { return name }
        let search = getenv("PATH").map { String(cString: $0) } ?? ""
        // An ordinary user's PATH lacks the folders that hold ip, nft and tc.
        for folder in (search + ":/usr/sbin:/usr/bin:/sbin:/bin").split(separator: ":") {
            let path = "\(folder)/\(name)"
            if access(path, X_OK) == 0 { return path }
        }
        throw .command(line: name, status: 127, output: "not found in PATH: install the package that holds it")
    }

    private static func start(
        _ path: String,
        _ arguments: [String],
        _ line: String,
        _ input: Int32,
        _ output: Int32
    ) throws(LabError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, output, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The lab's threads block all signals; the program must not inherit that.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        defer { words.forEach { free($0) } }
        words.append(nil)
        var process: pid_t = 0
        let code = SpawnLock.start { posix_spawn(&process, path, &actions, &attributes, words, environ) }
        guard code == 0 else { throw .system(operation: line, code: code) }
        return process
    }

    private static func memoryFile(holding text: String) throws(LabError) -> Descriptor {
        let file = Descriptor(owning: try LabError.unwrap("make a memory file", weir_netns_memory_file()))
        let bytes = Array(text.utf8)
        var offset = 0
        while offset < bytes.count {
            offset += try LabError.check("write a memory file") {
                bytes.withUnsafeBytes { all in
                    pwrite(file.number, all.baseAddress.map { $0 + offset }, all.count - offset, offset)
                }
            }
        }
        return file
    }

    private static func contents(of file: borrowing Descriptor) throws(LabError) -> String {
        let number = file.number
        var status = stat()
        _ = try LabError.check("look at a memory file") { fstat(number, &status) }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        let size = bytes.count
        let count = try LabError.check("read a memory file") { pread(number, &bytes, size, 0) }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    private static func trimmed(_ text: String) -> String {
        guard let end = text.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(text[...end])
    }
}

extension NetworkNamespace {
    /// Runs a program inside the namespace and waits for its end.
    ///
    /// - Parameters:
    ///   - arguments: the program, which is searched in `PATH` and the system's tool folders, and its arguments.
    ///   - input: the standard input of the program.
    /// - Returns: the standard output and standard error of the program.
    /// - Throws: ``LabError/command(line:status:output:)`` with the output if the program fails.
    @discardableResult
    package func command(_ arguments: [String], input: String = "") throws(LabError) -> String {
        try perform { () throws(LabError) in try Command.run(arguments, input: input) }.get()
    }

    /// Runs `ip` with arguments separated by spaces, such as `ip("route add default dev eth0")`.
    @discardableResult
    package func ip(_ arguments: String) throws(LabError) -> String {
        try command(["ip"] + arguments.split(separator: " ").map(String.init))
    }

    /// Runs many `ip` commands in one process, one per line without the word `ip`; the first failure ends it.
    func ip(batch lines: [String]) throws(LabError) {
        do {
            try command(["ip", "-batch", "-"], input: lines.map { $0 + "\n" }.joined())
        } catch .command(_, let status, let output) {
            throw .command(line: "ip " + failed(of: lines, output), status: status, output: output)
        }
    }

    /// Returns the line that `ip -batch` reports: the output ends with `Command failed -:NUMBER`.
    private func failed(of lines: [String], _ output: String) -> String {
        guard let word = output.split(separator: ":").last, let number = Int(word), lines.indices.contains(number - 1)
        else { return "-batch -" }
        return lines[number - 1]
    }

    /// Runs `tc` with arguments separated by spaces.
    @discardableResult
    package func tc(_ arguments: String) throws(LabError) -> String {
        try command(["tc"] + arguments.split(separator: " ").map(String.init))
    }

    /// Loads nftables rules, written in the language of `nft -f`.
    @discardableResult
    package func nft(_ rules: String) throws(LabError) -> String {
        try command(["nft", "-f", "-"], input: rules)
    }

    /// Runs a shell script inside the namespace.
    @discardableResult
    package func shell(_ script: String) throws(LabError) -> String {
        try command(["/bin/sh", "-c", script])
    }

    /// Switches offloads of an interface on or off, so that packets of known shapes reach it.
    ///
    /// The features have the names that `ethtool -K` takes: `tso`, `gso`, `gro`, `tx`, `rx`, `txvlan`, `rxvlan`.
    package func setOffloads(_ interface: String, _ features: [String: Bool]) throws(LabError) {
        let words = features.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value ? "on" : "off"] }
        try command(["ethtool", "-K", interface] + words)
    }
}
