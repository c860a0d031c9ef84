import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

@Suite("Datapath configuration and errors")
struct DatapathConfigurationTests {
    @Test(arguments: [
        (1024, true), (2048, true), (131_072, true), (16_777_216, true),
        (0, false), (-1024, false), (1, false), (512, false), (1000, false), (1025, false), (3072, false),
        (33_554_432, false), (Int.max, false), (Int.min, false),
    ])
    func tableSlotsArePowerOfTwoInRange(_ slots: Int, _ isValid: Bool) {
        #expect(DatapathConfiguration.isValid(tableSlots: slots) == isValid)
    }

    @Test func defaultTableSlotsAreValid() {
        #expect(DatapathConfiguration.isValid(tableSlots: DatapathConfiguration.defaultTableSlots))
    }

    @Test func describesErrorsWithAdvice() {
        let examples: [(DatapathError, String, isUnsupported: Bool)] = [
            (
                .missingPrivilege(capabilities: ["CAP_BPF", "CAP_NET_ADMIN"]),
                "missing CAP_BPF, CAP_NET_ADMIN: run as root (sudo), or give the container these capabilities",
                true
            ),
            (
                .unsupportedKernel(feature: "tcx", since: "6.6", advice: "use clsact"),
                "this kernel has no tcx (in Linux since 6.6); use clsact",
                true
            ),
            (
                .unsuitable(reason: "/proc is not mounted", advice: "mount it"),
                "/proc is not mounted; mount it",
                true
            ),
            (
                .verifier(line: "R1 type=scalar expected=ctx", omittedLines: 12, log: "…"),
                "the kernel's verifier refused the program: R1 type=scalar expected=ctx "
                    + "(12 more lines: run with --log-level debug)",
                true
            ),
            (.system(operation: "attach eth0", errno: 16, advice: ""), "attach eth0: Device or resource busy", false),
            (
                .system(operation: "load", errno: 12, advice: "make it smaller"),
                "load: Cannot allocate memory; make it smaller",
                false
            ),
        ]
        for (error, text, isUnsupported) in examples {
            #expect("\(error)" == text)
            #expect(error.isUnsupported == isUnsupported)
        }
    }
}

@Suite("Surroundings of the datapath")
struct SurroundingsTests {
    /// `struct btf_header` (linux/btf.h) with 4 bytes of types and 2 of text at their end.
    private static let head: [UInt8] =
        [0x9f, 0xeb, 1, 0, 24, 0, 0, 0] + [0, 0, 0, 0, 4, 0, 0, 0] + [4, 0, 0, 0, 2, 0, 0, 0]

    private static let files: [(bytes: [UInt8], state: BTFHeader.State)] = [
        (head + [0, 0, 0, 0, 0, 0], .whole), (head + [0, 0, 0, 0, 0], .cutOff), (head, .cutOff),
        ([0x9f, 0xeb], .cutOff), ([0x9f], .foreign), ([], .foreign),
        ([0x9f, 0xec] + head.dropFirst(2), .foreign), ([0x9f, 0xeb, 2] + head.dropFirst(3), .foreign),
        ([0x9f, 0xeb, 1] + [UInt8](repeating: 0xff, count: 40), .foreign),
        ([0x9f, 0xeb, 1] + [UInt8](repeating: 0, count: 40), .foreign),
    ]

    @Test(arguments: files)
    func detectsIncompleteTypeInformation(_ bytes: [UInt8], _ state: BTFHeader.State) throws {
        var path = Array("/tmp/weir-btf-XXXXXX\0".utf8CString)
        let descriptor = mkstemp(&path)
        try #require(descriptor >= 0)
        defer {
            close(descriptor)
            unlink(path)
        }
        try #require(write(descriptor, bytes, bytes.count) == bytes.count)
        let name = String(decoding: path.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        #expect(BTFHeader.state(of: name) == state)
    }

    @Test func kernelTypeInformationIsWhole() {
        #expect(BTFHeader.state(of: "/sys/kernel/btf/vmlinux") == .whole)
        #expect(BTFHeader.state(of: "/sys/kernel/btf/missing") == .unreadable(ENOENT))
    }

    @Test func reportsResourceLimitsThatAreTooLow() async {
        await #expect(processExitsWith: .exitCode(42)) {
            let cases: [(__rlimit_resource, rlim_t, String)] = [
                (RLIMIT_NOFILE, 127, "the limit of open files is 127, and at least 128 are needed; raise it (ul"),
                (RLIMIT_DATA, (128 << 20) - 1, "the limit of bytes of data is 134217727, and at least 134217728 are"),
                (RLIMIT_STACK, 200 << 10, "the limit of bytes of stack is 204800, and at least 262144 are needed;"),
            ]
            try Datapath.checkLimits()
            for (resource, limit, said) in cases {
                var before = rlimit()
                getrlimit(__rlimit_resource_t(resource.rawValue), &before)
                var lower = rlimit(rlim_cur: limit, rlim_max: before.rlim_max)
                guard setrlimit(__rlimit_resource_t(resource.rawValue), &lower) == 0 else { exit(1) }
                var text = ""
                do throws(DatapathError) { try Datapath.checkLimits() } catch { text = "\(error)" }
                setrlimit(__rlimit_resource_t(resource.rawValue), &before)
                guard text.hasPrefix(said) else { exit(2) }
            }
            exit(42)
        }
    }
}

extension KernelTests {
    /// Capabilities belong to threads: these tests give up their own thread's.
    @Suite("Privileges")
    struct PrivilegeTests {
        private static let netAdmin: UInt64 = 1 << 12
        private static let everything: UInt64 = 1 << 21
        private static let perfmon: UInt64 = 1 << 38
        private static let bpf: UInt64 = 1 << 39

        @Test(arguments: [
            (0 as UInt64, ["CAP_NET_ADMIN", "CAP_PERFMON", "CAP_BPF"]),
            (netAdmin, ["CAP_PERFMON", "CAP_BPF"]),
            (netAdmin | bpf, ["CAP_PERFMON"]),
            (perfmon | bpf, ["CAP_NET_ADMIN"]),
            (everything, ["CAP_NET_ADMIN"]),
        ])
        func reportsMissingCapabilities(_ capabilities: UInt64, _ missing: [String]) throws {
            let work = try BackgroundWork {
                try ThreadAlone.keepCapabilities(capabilities)
                _ = try Datapath(DatapathConfiguration(tableSlots: 1024))
            }
            #expect(throws: DatapathError.missingPrivilege(capabilities: missing)) { try work.value() }
        }

        /// The three required capabilities are enough to watch an interface; without CAP_SYSLOG the datapath reports that
        /// addresses are hidden.
        @Test func threeCapabilitiesAreEnough() throws {
            let namespace = try NetworkNamespace()
            let work = try BackgroundWork { () throws -> (notices: [Datapath.Notice], areHidden: Bool) in
                try namespace.enter()
                try ThreadAlone.keepCapabilities(Self.netAdmin | Self.perfmon | Self.bpf)
                // With kernel.perf_event_paranoid below 2 the addresses are shown without CAP_SYSLOG.
                let areHidden = DropPlaces.read() == nil
                let selection = InterfaceSelection(include: ["lo"])
                let datapath = try Datapath(DatapathConfiguration(interfaces: selection, tableSlots: 1024))
                var notices: [Datapath.Notice] = []
                datapath.onNotice = { notices.append($0) }
                try datapath.attach()
                try datapath.detach { _ in }
                return (notices, areHidden)
            }
            let (notices, areHidden) = try work.value()
            #expect(
                notices == (areHidden ? [.addressesHidden] : []) + [
                    .attached(name: "lo", index: 1, role: .host, reason: .pattern("lo"), mechanism: "tcx"),
                    .detached(name: "lo", index: 1),
                ]
            )
        }

        @Test(arguments: [(0 as UInt64, false), (perfmon | bpf, false), (netAdmin, true)])
        func connectionTrackingNeedsNetAdmin(_ capabilities: UInt64, _ isEnough: Bool) throws {
            let work = try BackgroundWork {
                try ThreadAlone.keepCapabilities(capabilities)
                return try Conntrack()
            }
            if isEnough {
                #expect(try work.value().statistics == Conntrack.Statistics())
            } else {
                #expect(throws: DatapathError.missingPrivilege(capabilities: ["CAP_NET_ADMIN"])) { try work.value() }
            }
        }
    }
}
