import Glibc
import Lab
import Testing

@testable import Datapath

/// The kernel's setting for short grace periods, with a file in its place.
@Suite("Grace periods") struct GracePeriodTests {
    /// A folder with a setting, in which runs leave their mark.
    private final class Machine {
        let folder: String
        var setting: String { folder + "/rcu_expedited" }

        init(_ value: String? = "0") throws {
            var template = Array("/tmp/weir-grace-XXXXXX".utf8CString)
            folder = String(cString: try #require(mkdtemp(&template)))
            if let value { set(value) }
        }

        deinit { PinFolder.removeFolder(folder) }

        func run() -> GracePeriods { GracePeriods(setting: setting, bpffs: folder) }

        func set(_ value: String) {
            guard let file = fopen(setting, "we") else { return }
            fputs(value + "\n", file)
            fclose(file)
        }

        var value: String {
            guard let file = fopen(setting, "re") else { return "" }
            defer { fclose(file) }
            return String(UnicodeScalar(UInt8(truncatingIfNeeded: fgetc(file))))
        }

        /// The entries beside the setting.
        var marks: [String] { PinFolder.entries(of: folder).filter { $0 != "rcu_expedited" } }

        /// Leaves the state of a run that is killed meanwhile.
        func leaveBehind() {
            mkdir(folder + "/weir-rcu-expedited", 0o700)
            set("1")
        }
    }

    @Test func expeditesBetweenBeginAndEnd() throws {
        let machine = try Machine()
        let run = machine.run()
        #expect(run.begin() == .expedited)
        #expect(machine.value == "1")
        #expect(machine.marks == ["weir-rcu-expedited"])
        #expect(run.begin() == .expedited)
        #expect(run.end() == nil)
        #expect(machine.value == "0")
        #expect(machine.marks == [])
        #expect(run.end() == nil)
    }

    /// A setting that another program has made stays.
    @Test func keepsSettingThatWasAlreadySet() throws {
        let machine = try Machine("1")
        let run = machine.run()
        #expect(run.begin() == .isSet)
        run.end()
        #expect(machine.run().recover() == nil)
        #expect(machine.value == "1")
        #expect(machine.marks == [])
    }

    /// The last run that needs the setting resets it, whichever run set it.
    @Test(arguments: [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
    func lastRunRestoresSetting(_ order: [Int]) throws {
        let machine = try Machine()
        let runs = (0..<3).map { _ in machine.run() }
        for run in runs { #expect(run.begin() == .expedited) }
        for index in order {
            #expect(machine.value == "1")
            #expect(machine.run().recover() == nil)
            runs[index].end()
        }
        #expect(machine.value == "0")
        #expect(machine.marks == [])
    }

    @Test func nextRunResetsSettingOfKilledRun() throws {
        let machine = try Machine()
        machine.leaveBehind()
        #expect(machine.run().recover() == .putBack)
        #expect(machine.value == "0")
        #expect(machine.marks == [])
        #expect(machine.run().recover() == nil)
    }

    /// A run that needs the setting takes over the one that a killed run left behind.
    @Test func runTakesOverSettingOfKilledRun() throws {
        let machine = try Machine()
        machine.leaveBehind()
        let run = machine.run()
        #expect(run.begin() == .expedited)
        run.end()
        #expect(machine.value == "0")
        #expect(machine.marks == [])
    }

    /// A run that ended between the mark and the setting has changed nothing.
    @Test func markWithoutSettingIsRemoved() throws {
        let machine = try Machine()
        machine.leaveBehind()
        machine.set("0")
        #expect(machine.run().recover() == nil)
        #expect(machine.marks == [])
    }

    @Test func missingSettingIsUnavailable() throws {
        let machine = try Machine(nil)
        let run = machine.run()
        let reason = "\(machine.setting): No such file or directory"
        #expect(run.begin() == .unavailable(reason: reason))
        #expect(machine.marks == [])
        #expect(run.end() == nil)
        #expect(run.recover() == nil)
    }

    /// A setting that can be read and not written, as where /sys is read-only.
    @Test(.enabled(if: geteuid() == 0, "mounts need root"))
    func readOnlySettingIsUnavailable() throws {
        let machine = try Machine()
        try #require(mount(machine.setting, machine.setting, "", UInt(MS_BIND), nil) == 0)
        defer { umount2(machine.setting, Int32(MNT_DETACH)) }
        try #require(mount("", machine.setting, "", UInt(MS_BIND | MS_REMOUNT | MS_RDONLY), nil) == 0)
        let run = machine.run()
        let reason = "\(machine.setting): Read-only file system"
        #expect(run.begin() == .unavailable(reason: reason))
        #expect(machine.value == "0")
        #expect(machine.marks == [])
        machine.leaveBehind()
        #expect(run.recover() == nil)
        #expect(machine.marks == [])
    }

    /// A setting that cannot be reset is reported, and its mark stays for the next run.
    @Test(.enabled(if: geteuid() == 0, "mounts need root"))
    func reportsSettingThatCannotBeReset() throws {
        let machine = try Machine()
        machine.leaveBehind()
        try #require(mount(machine.setting, machine.setting, "", UInt(MS_BIND), nil) == 0)
        try #require(mount("", machine.setting, "", UInt(MS_BIND | MS_REMOUNT | MS_RDONLY), nil) == 0)
        let reason = "\(machine.setting): Read-only file system"
        #expect(machine.run().recover() == .stuck(reason: reason))
        #expect(machine.marks == ["weir-rcu-expedited"])
        umount2(machine.setting, Int32(MNT_DETACH))
        #expect(machine.run().recover() == .putBack)
        #expect(machine.marks == [])
    }

    /// Runs that begin and end at once never leave the setting set, nor unset while one needs it.
    @Test func concurrentRunsRestoreSetting() throws {
        let machine = try Machine()
        let (setting, folder) = (machine.setting, machine.folder)
        let works = try (0..<4).map { _ in
            try BackgroundWork { () -> Int in
                (0..<200).count { _ in
                    let run = GracePeriods(setting: setting, bpffs: folder)
                    let outcome = run.begin()
                    run.end()
                    return outcome == .expedited
                }
            }
        }
        let begun = try works.reduce(0) { try $0 + $1.value() }
        #expect(begun > 0)
        #expect(machine.run().recover() == nil)
        #expect(machine.value == "0")
        #expect(machine.marks == [])
    }
}

extension KernelTests {
    /// Many interfaces, with the setting of this kernel.
    @Suite("Grace periods of the kernel", .enabled(if: GracePeriods.failure() == nil, "the setting cannot be written"))
    struct KernelGracePeriodTests {
        private static var setting: String {
            guard let file = fopen(GracePeriods.kernelSetting, "re") else { return "" }
            defer { fclose(file) }
            return String(UnicodeScalar(UInt8(truncatingIfNeeded: fgetc(file))))
        }

        private let namespace: NetworkNamespace
        private let bpffs: BPFFileSystem
        private var configuration: DatapathConfiguration

        init() throws {
            namespace = try NetworkNamespace()
            bpffs = try BPFFileSystem()
            configuration = DatapathConfiguration(
                interfaces: InterfaceSelection(include: ["a*", "b*"]),
                tableSlots: 1024,
                attachMode: .tcx
            )
            configuration.bpffs = bpffs.path
            try namespace.ipBatch((0..<20).map { "link add a\($0) type veth peer name b\($0)" })
        }

        /// 40 interfaces without short grace periods take 40 × 2 of them, in each direction some 10 ms.
        @Test func expeditedAttachingIsFaster() throws {
            try #require(Self.setting == "0")
            var took: [Bool: [Duration]] = [:]
            // Other work of the machine only adds to a time: the shortest one of three is compared.
            for expedites in [false, true, false, true, false, true] {
                var configuration = configuration
                configuration.expeditesAttaching = expedites
                let start = ContinuousClock.now
                let monitor = try Monitor(in: namespace, configuration)
                #expect(Self.setting == "0")
                #expect(monitor.attached.count == 40)
                try monitor.stop()
                #expect(Self.setting == "0")
                took[expedites, default: []].append(ContinuousClock.now - start)
                #expect(!PinFolder.entries(of: bpffs.path).contains { $0.hasPrefix("weir") })
            }
            let (usual, expedited) = (try #require(took[false]?.min()), try #require(took[true]?.min()))
            print("40 interfaces: \(usual), expedited \(expedited)")
            #expect(expedited < usual)
        }

        /// A setting that a killed run left behind is reset by the next run, and by weir detach.
        @Test(arguments: [true, false])
        func resetsSettingOfKilledRun(_ byRun: Bool) throws {
            try #require(Self.setting == "0")
            let left = GracePeriods(bpffs: bpffs.path)
            #expect(left.begin() == .expedited)
            #expect(Self.setting == "1")
            left.leave()
            if byRun {
                let monitor = try Monitor(in: namespace, configuration)
                #expect(monitor.notices.contains(.expeditedPutBack))
                #expect(Self.setting == "0")
                try monitor.stop()
            } else {
                let removal = try namespace.run { [bpffs] in try Datapath.removeAll(bpffs: bpffs.path) }
                #expect(removal.putsBackGracePeriods)
            }
            #expect(Self.setting == "0")
            #expect(!PinFolder.entries(of: bpffs.path).contains { $0.hasPrefix("weir") })
        }

        /// Pinned programs are detached when weir detach returns.
        @Test func manyPinnedLinksAreDetachedAtOnce() throws {
            var configuration = configuration
            configuration.pinning = .untilEnd
            let monitor = try Monitor(in: namespace, configuration)
            try monitor.die()
            let removal = try namespace.run { [bpffs] in try Datapath.removeAll(bpffs: bpffs.path) }
            #expect(removal.interfaces.count == 40)
            #expect(Self.setting == "0")
            let left = try namespace.run { try HookSurvey().interfaces.map(\.name) }
            #expect(left == [])
        }
    }
}
