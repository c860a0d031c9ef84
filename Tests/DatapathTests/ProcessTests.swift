import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

extension KernelTests {
    /// Which processes have the sockets of flows.
    @Suite("Processes")
    struct ProcessTests {
        /// This process has both ends, opened by threads of it; one connection is older than the programs.
        @Test(arguments: [false, true])
        func processesAreThoseThatCalledAndListened(isOlder: Bool) throws {
            let node = try SocketNode()
            let early = isOlder ? nil : try node.monitor(collects: .process)
            let connection = try node.connection(port: 7008)
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
            var name = [UInt8](repeating: 0, count: 16)
            let file = try #require(fopen("/proc/self/comm", "r"))
            name.removeLast(name.count - fread(&name, 1, 15, file))
            fclose(file)
            let own = ProcessName(name.prefix { $0 != UInt8(ascii: "\n") })
            for interface in [a.interface, b.interface] {
                let both = try begun.processes(on: interface, port: port)
                #expect(both?.far == nil)
                #expect(both?.near?.name == own && both?.near?.count == 1, "\(String(describing: both))")
                if DatapathSurvey.hiddenProcesses == nil { #expect(both?.near?.id == UInt32(getpid())) }
            }
            // Nobody asked for the rest.
            #expect(begun.sockets.isEmpty)
            connection.close()
            try begun.stop()
        }
    }
}
