import CWeir
import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

extension KernelTests {
    /// The processes that own the sockets of flows.
    @Suite("Processes")
    struct ProcessTests {
        /// The name of this process.
        private static let ownName: ProcessName = {
            var name = [UInt8](repeating: 0, count: 16)
            guard let file = fopen("/proc/self/comm", "r") else { return ProcessName([]) }
            defer { fclose(file) }
            name.removeLast(name.count - fread(&name, 1, 15, file))
            return ProcessName(name.prefix { $0 != UInt8(ascii: "\n") })
        }()

        /// Threads of this process open both ends; in one case the connection is older than the programs.
        @Test(arguments: [false, true], [false, true])
        func reportsProcessesOfBothEnds(ipv6: Bool, isOlder: Bool) throws {
            let node = try SocketNode()
            let early = isOlder ? nil : try node.monitor(collects: .process)
            let connection = try node.connection(ipv6: ipv6, port: 7008)
            let begun = try early ?? node.monitor(collects: .process)
            if isOlder {
                try begun.scan()
                try connection.send(10)
            }
            let (a, b, port) = try (node.lab.pod("a"), node.lab.pod("b"), connection.clientPort)
            #expect(
                try eventually {
                    try begun.scan()
                    return try begun.processes(on: a.interface, port: port)?.near != nil
                        && begun.processes(on: b.interface, port: port)?.near != nil
                }
            )
            let own = Self.ownName
            for interface in [a.interface, b.interface] {
                let both = try begun.processes(on: interface, port: port)
                #expect(both?.far == nil)
                #expect(both?.near?.name == own && both?.near?.count == 1, "\(String(describing: both))")
                if DatapathSurvey.hiddenProcesses == nil { #expect(both?.near?.id == UInt32(getpid())) }
            }
            // Socket statistics are not collected.
            #expect(begun.sockets.isEmpty)
            connection.close()
            try begun.stop()
        }

        /// New UDP flows get the owners of their sockets with the first packets.
        ///
        /// This applies to sockets of pods and of the node, older and newer than the programs.
        @Test(arguments: [false, true], [Collected.process, [.process, .dns]])
        func reportsOwnersOfUDPSockets(ipv6: Bool, collects: Collected) throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: collects)
            #expect(
                monitor.notices.allSatisfy { if case .datagramsUnavailable = $0 { false } else { true } },
                "\(monitor.notices)"
            )
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            let addresses = ipv6 ? (a.ipv6, b.ipv6) : (a.ipv4, b.ipv4)
            let text = Array("at least twelve bytes".utf8)
            let exchange = try UDPExchange(from: (a.namespace, addresses.0), to: (b.namespace, addresses.1), text, text)
            let own = try UDPExchange(
                from: (node.lab.node, LabAddress("192.0.2.1")),
                to: (node.outside, LabAddress("192.0.2.2")),
                text,
                text
            )
            try monitor.scan()
            for interface in [a.interface, b.interface] {
                let both = try monitor.processes(on: interface, port: exchange.clientPort)
                #expect(both?.far == nil)
                if DatapathSurvey.hiddenProcesses == nil { #expect(both?.near?.id == UInt32(getpid())) }
                #expect(both?.near?.name == Self.ownName && both?.near?.count == 1, "\(String(describing: both))")
            }
            let uplink = try monitor.processes(on: "up0", port: own.clientPort)
            #expect(uplink?.near == nil && uplink?.far?.name == Self.ownName, "\(String(describing: uplink))")
            #expect(monitor.sockets.isEmpty)
            try monitor.stop()
            #expect(monitor.contradictions.isEmpty)
        }

        /// Connected and unconnected sockets of short-lived processes, and of one that is older than the programs.
        @Test func reportsShortLivedUDPProcesses() throws {
            let node = try SocketNode()
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            let older = try a.namespace.run { socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0) }
            defer { close(older) }
            let monitor = try node.monitor(collects: .process)
            _ = try a.namespace.command(["bash", "-c", "echo hello > /dev/udp/\(b.ipv4.description)/7020"])
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = UInt16(7021).bigEndian
            try #require(inet_pton(AF_INET, b.ipv4.description, &address.sin_addr) == 1)
            let sent = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(older, "hello", 5, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            try #require(sent == 5)
            try monitor.scan()
            let short = try monitor.processes(on: a.interface, port: 7020)?.near
            #expect(short?.name?.text == "bash", "\(String(describing: short))")
            let before = try monitor.processes(on: a.interface, port: 7021)?.near
            #expect(before?.name == Self.ownName, "\(String(describing: before))")
            try monitor.stop()
        }

        /// Processes that end at once keep the path passed to exec(); arguments are truncated, and present only if they
        /// are collected.
        @Test(
            arguments: [.process, [.process, .processPath], [.process, .processPath, .processArguments]] as [Collected]
        )
        func endedProcessesKeepPathAndArguments(collects: Collected) throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: collects)
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            let listener = try b.namespace.run { try Self.listener(port: 7010) }
            defer { close(listener) }
            // The arguments have a line feed, an escape, invalid UTF-8, a quote, and 64 KiB.
            let call = "exec 3<>/dev/tcp/\(b.ipv4.description)/7010"
            let script = """
                odd="$(printf 'a\\nb\\033\\377\\042')"; long="$(head -c 65536 /dev/zero | tr '\\000' x)"
                for i in 1 2 3 4 5; do bash -c '\(call)' "$odd" secret "$long" 2>/dev/null; done; true
                """
            _ = try a.namespace.command(["bash", "-c", script])
            #expect(
                try eventually {
                    try monitor.scan()
                    return try monitor.processes(on: a.interface, port: 7010)?.near != nil
                }
            )
            let processes = try #require(try monitor.processes(on: a.interface, port: 7010)?.near)
            let name = try #require(processes.name?.text)
            if collects.contains(.processPath) {
                #expect(name.hasSuffix("/bash") && name.hasPrefix("/"))
            } else {
                #expect(name == "bash")
            }
            if collects.contains(.processArguments) {
                let text = try #require(processes.arguments.first)
                #expect(text.hasPrefix("bash -c \(call) a\nb\u{1b}\u{fffd}\" secret xxx"), "\(text)")
                #expect(text.utf8.count <= Int(WEIR_PROCESS_TEXT) + 2)
            } else {
                #expect(processes.arguments.isEmpty && processes.argumentCount == 0)
            }
            try monitor.stop()
        }

        /// A process that has left the map of all processes has the path of the last program that it executed.
        @Test func groupKeepsPathOfProcess() throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: [.process, .processPath])
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            let call = "echo hello > /dev/udp/\(b.ipv4.description)/7023"
            _ = try a.namespace.command(["bash", "-c", "sh -c 'exec bash -c \"\(call)\"'; true"])
            try monitor.perform { datapath in
                let all = try #require(datapath.processPrograms?.paths).all.number
                var process: UInt32 = 0
                var removed = 0
                while bpf_map_get_next_key(all, nil, &process) == 0, bpf_map_delete_elem(all, &process) == 0 {
                    removed += 1
                }
                #expect(removed > 0)
            }
            try monitor.scan()
            let name = try #require(try monitor.processes(on: a.interface, port: 7023)?.near?.name?.text)
            #expect(name.hasPrefix("/") && name.hasSuffix("/bash"), "\(name)")
            try monitor.stop()
        }

        /// A socket in connect() when the programs are attached gets the process that called connect().
        @Test func connectingSocketsHaveTheirCaller() throws {
            let node = try SocketNode()
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            _ = try b.namespace.nft(Self.closed)
            let listener = try b.namespace.run { try Self.listener(port: 7011) }
            let caller = try a.namespace.run { try Self.call("\(b.ipv4)", 7011) }
            defer { for number in [listener, caller] { close(number) } }
            let monitor = try node.monitor(collects: [.process, .tcp])
            _ = try b.namespace.nft("delete table ip closed")
            #expect(
                try eventually {
                    try monitor.scan()
                    return try monitor.processes(on: a.interface, port: 7011)?.near != nil
                }
            )
            #expect(try monitor.processes(on: a.interface, port: 7011)?.near?.name == Self.ownName)
            try monitor.stop()
        }

        /// Both ends call connect(), and neither listens or accepts.
        @Test func simultaneousOpensHaveTheirCallers() throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: .process)
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            for pod in [a, b] { _ = try pod.namespace.nft(Self.closed) }
            let callers = [
                try a.namespace.run { try Self.call("\(b.ipv4)", 7013, from: 7012) },
                try b.namespace.run { try Self.call("\(a.ipv4)", 7012, from: 7013) },
            ]
            defer { for number in callers { close(number) } }
            for pod in [a, b] { _ = try pod.namespace.nft("delete table ip closed") }
            for number in callers {
                var writable = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
                try #require(poll(&writable, 1, 30_000) == 1 && send(number, "x", 1, 0) == 1)
            }
            for interface in [a.interface, b.interface] {
                let isKnown = try eventually {
                    try monitor.scan()
                    return try monitor.processes(on: interface, port: 7012)?.near?.name == Self.ownName
                }
                #expect(isKnown, "\(interface)")
            }
            try monitor.stop()
        }

        /// The kernel returns the executable of a living process, but not for another process with the same number.
        @Test func findsExecutablesOfLivingProcesses() throws {
            var finder = try ExecutableFinder(ProcessPrograms.load(paths: true, arguments: false))
            let reader = try SocketReader()
            let listener = try Self.listener(port: 0)
            defer { close(listener) }
            var (key, storage) = (listener, weir_socket_storage())
            try #require(bpf_map_lookup_elem(reader.owners.number, &key, &storage) == 0)
            var owner = storage.owner
            var path = [CChar](repeating: 0, count: 4096)
            try #require(readlink("/proc/self/exe", &path, path.count - 1) > 0)
            let own = path.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            if DatapathSurvey.hiddenProcesses == nil { #expect(finder.path(of: owner) == own) }
            owner.start += 1
            #expect(finder.path(of: owner) == nil)
        }

        /// The setting `net.core.optmem_max` limits the memory for owners in sockets.
        @Test func reportsKernelWithoutOwners() throws {
            #expect(try SocketReader().ownersUnavailable == nil)
            let narrow = try NetworkNamespace()
            _ = try narrow.command(["bash", "-c", "echo 1 > /proc/sys/net/core/optmem_max"])
            let (listening, made) = try narrow.run {
                let reader = try SocketReader()
                return (reader.ownersUnavailable, reader.ownerFailure(of: SOCK_DGRAM))
            }
            for error in [listening, made] {
                #expect(
                    error.map { "\($0)".contains("Cannot allocate memory; raise the sysctl net.core.optmem_max") }
                        == true
                )
            }
        }

        /// Rules that drop all incoming TCP packets.
        private static let closed = """
            table ip closed {
                chain input { type filter hook input priority 0; ip protocol tcp drop; }
            }
            """

        /// Returns a socket with a pending connect().
        private static func call(_ host: String, _ port: UInt16, from own: UInt16 = 0) throws -> Int32 {
            let type = SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
            let number = socket(AF_INET, Int32(type), 0)
            try #require(bind(number, own) == 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            try #require(inet_pton(AF_INET, host, &address.sin_addr) == 1)
            let result = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            try #require(result == -1 && errno == EINPROGRESS)
            return number
        }

        /// Binds a socket to a port of all addresses; 0 chooses one.
        private static func bind(_ number: Int32, _ port: UInt16) -> Int32 {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            return withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.bind(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }

        /// Returns a socket that listens on all addresses; the kernel completes handshakes.
        private static func listener(port: UInt16) throws -> Int32 {
            let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            try #require(bind(number, port) == 0 && listen(number, 16) == 0)
            return number
        }

        /// Paths and arguments are decoded as valid text from any bytes.
        @Test func decodesPathsAndArguments() {
            #expect(ProcessPrograms.path(Array("/usr/bin/x (deleted)".utf8)[...]) == "/usr/bin/x")
            #expect(ProcessPrograms.path(Array("./x".utf8)[...]) == nil && ProcessPrograms.path([]) == nil)
            #expect(ProcessPrograms.path(Array("/dev/fd/3".utf8)[...]) == nil)
            #expect(ProcessPrograms.arguments([0x61, 0, 0x62, 0xff, 0, 0]) == "a b\u{fffd}")
            #expect(ProcessPrograms.arguments([0, 0]) == nil && ProcessPrograms.arguments([]) == nil)
        }
    }
}
