import Foundation
import Testing

@testable import Settings

@Suite struct SettingsFileTests {
    private static func read(_ text: String) throws -> SettingValues {
        let path = NSTemporaryDirectory() + "weir-settings-\(UUID().uuidString).yaml"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        var values = SettingValues(file: path)
        values.faults = values.faults.map { fault in
            guard case .file(_, let line) = fault.origin else { return fault }
            return SettingFault(.file(path: "f", line: line), fault.reason)
        }
        return values
    }

    @Test func readsScalarsAndLists() throws {
        let values = try Self.read(
            """
            # a comment
            flush-interval: 5m
            interface: [eth*, "bond0"]
            output:
              - file:/var/log/weir/flows.log
              - 'tcp:collector:5170'
            kubernetes: yes
            exclude-interface: docker0
            table-slots: 1024
            kubeconfig:
            context: null
            """
        )
        #expect(values.faults == [])
        let texts = values.entries.mapValues(\.values)
        #expect(
            texts == [
                "flush-interval": ["5m"], "interface": ["eth*", "bond0"], "kubernetes": ["true"],
                "output": ["file:/var/log/weir/flows.log", "tcp:collector:5170"], "exclude-interface": ["docker0"],
                "table-slots": ["1024"],
            ]
        )
        guard case .file(_, let line) = values.entries["output"]?.origin else { return #expect(Bool(false)) }
        #expect(line == 4)
    }

    @Test(arguments: [
        ("flsh-interval: 5m", "f:1: 'flsh-interval' is no setting; did you mean 'flush-interval'?"),
        ("flsh-interval:", "f:1: 'flsh-interval' is no setting; did you mean 'flush-interval'?"),
        ("flsh-interval: {a: b}", "f:1: 'flsh-interval' is no setting; did you mean 'flush-interval'?"),
        ("flsh-interval: []", "f:1: 'flsh-interval' is no setting; did you mean 'flush-interval'?"),
        ("\nzzz: 1", "f:2: 'zzz' is no setting; `weir config reference` lists the settings"),
        ("flush-interval: 5x", "f:1: flush-interval: '5x' is no time; write it like 500ms, 10s, 5m or 1h"),
        ("flush-interval: 500ms", "f:1: flush-interval: '500ms' is out of range: time, 1s or more"),
        ("flush-interval: [1s, 2s]", "f:1: flush-interval: one value is needed, not a list"),
        ("flush-interval: 1s\nflush-interval: 2s", "f:2: flush-interval: it is set twice"),
        ("flush-interval: {a: {b: [1]}}", "f:1: flush-interval: a value or a list of values is needed, not a mapping"),
        ("kubernetes: maybe", "f:1: kubernetes: 'maybe' is not true or false"),
        ("table-slots: 1e3", "f:1: table-slots: '1e3' is no number from 1024 to 16777216"),
        ("memory-limit: 1", "f:1: memory-limit: '1' is out of range: size in bytes (K, M, G), 96M or more"),
        (
            "log-level: loud",
            "f:1: log-level: 'loud' is not one of trace, debug, info, notice, warning, error, critical"
        ),
        ("interface: [a, '']", "f:1: interface: the pattern is empty"),
        ("interface: [[a]]", "f:1: interface: a list of plain values is needed"),
        ("- a", "f:1: the file is not a mapping of names to values"),
        ("just text", "f:1: the file is not a mapping of names to values"),
        ("? [a]\n: b", "f:1: the name of a setting is needed here"),
        ("interface: &x [a]\nexclude-interface: *x", "f:1: anchors and aliases are not used here; write the value"),
        ("host: a\n---\nhost: b", "f:2: there is a second document; one is read"),
        ("host: !!binary aGVsbG8=", "f:1: tags (tag:yaml.org,2002:binary) are not used here; write the value"),
        (
            "interface:\n\t- eth0",
            """
            f:2: not YAML: a tab, or another character that no value begins with: indent with spaces, or quote the text, \
            while scanning for the next token from line 2
            """
        ),
        // The second line causes the error that the first line seems to have.
        (
            "flush-interval: 5s\n  poll-interval: 1s",
            "f:2: not YAML: mapping values are not allowed in this context"
        ),
        ("host: 'a", "f:1: not YAML: found unexpected end of stream, while scanning a quoted scalar from line 1"),
    ])
    func reportsFaultWithLine(_ text: String, _ fault: String) throws {
        #expect(try Self.read(text).faults.map(\.description) == [fault])
    }

    /// Faults of a whole file have no line.
    @Test(arguments: [
        ("/nowhere/weir.yaml", "/nowhere/weir.yaml: No such file or directory"),
        ("/dev/zero", "/dev/zero: not a regular file"), ("/", "/: not a regular file"),
    ])
    func reportsUnreadableFile(_ path: String, _ fault: String) {
        #expect(SettingValues(file: path).faults.map(\.description) == [fault])
    }

    @Test func findsAllFaultsOfAFile() throws {
        let values = try Self.read("a1: 1\nflush-interval: x\nhost: n\nb2: {c: 1}\n")
        #expect(values.faults.count == 3)
        #expect(values.entries["host"]?.values == ["n"])
    }

    @Test(arguments: ["", "# nothing\n", "---\n", "{}", "null", "~"])
    func emptyFileHasNoSettings(_ text: String) throws {
        let values = try Self.read(text)
        #expect(values.entries.isEmpty && values.faults.isEmpty)
    }

    @Test func rejectsHostileFiles() throws {
        #expect(try Self.read(String(repeating: "[", count: 100_000)).faults.count == 1)
        #expect(
            try Self.read("host: " + String(repeating: "x", count: 2 << 20)).faults.map(\.reason) == [
                "larger than 1 MiB"
            ]
        )
        #expect(try Self.read("host: \u{FEFF}a\nhost\u{0}: b").faults.isEmpty == false)
    }

    @Test func readsOutputsFromMappings() throws {
        let values = try Self.read(
            """
            outputs:
              - to: file:/var/log/calico/flowlogs/flows.log
                aggregation-allowed: 2
                include-labels: true
              - to: syslog:tls:siem:6514
                filter: 'action == "deny" && source_name != "a;b"'
                interval-denied: 1m
              - stdout
            """
        )
        #expect(values.faults == [])
        #expect(
            values.entries["output"]?.values == [
                "file:/var/log/calico/flowlogs/flows.log;aggregation-allowed=2;include-labels=true",
                "syslog:tls:siem:6514;filter=action == \"deny\" && source_name != \"a;b\";interval-denied=1m", "stdout",
            ]
        )
    }

    @Test(arguments: [
        ("outputs: stdout", "outputs: a list is needed"), ("outputs:\n  - filter: x", "'to' is missing"),
        ("outputs:\n  - to: stdout\n    filter: [a]", "filter: one value is needed"),
        ("outputs:\n  - to: stdout\n    drop: a;b", "a semicolon must be quoted"),
        ("outputs:\n  - to: stdout\n    drop: a'b", "a semicolon must be quoted"),
        ("outputs:\n  - to: stdout\n    drop: a\n    drop: b", "drop: it is set twice"),
        ("output: stdout\noutputs:\n  - to: stdout", "outputs: it is set twice"),
        ("outputs:\n  - [a]", "a mapping with 'to' is needed"),
    ])
    func rejectsInvalidOutputs(text: String, reason: String) throws {
        let faults = try Self.read(text).faults.map(\.reason)
        #expect(faults.count == 1 && faults.allSatisfy { $0.contains(reason) }, "\(faults)")
    }

    @Test func readsFelixParameters() throws {
        let values = try Self.read(
            """
            flowLogsFlushInterval: 5m0s
            flowLogsFileAggregationKindForAllowed: 1
            flowLogsFileDirectory: /var/log/calico/flowlogs
            flowLogsFileIncludeLabels: true
            flowLogsCollectTcpStats: true
            flowLogsCollectProcessInfo: true
            flowLogsCollectProcessPath: true
            flowLogsPolicyScope: AllPolicies
            dnsLogsFileAggregationKind: 0
            flowLogsDestDomainsByClient: true
            """
        )
        #expect(values.faults == [])
        #expect(values.entries["flush-interval"]?.values == ["300s"])
        #expect(values.entries["aggregation-allowed"]?.values == ["1"])
        #expect(values.entries["include-labels"]?.values == ["on"])
        #expect(values.entries["output"]?.values == ["file:/var/log/calico/flowlogs/flows.log"])
        #expect(values.entries["collect"]?.values == ["tcp", "process", "process-path"])
        #expect(values.entries["policy-scope"]?.values == ["all"])
        #expect(values.entries["dns-aggregation"]?.values == ["0"])
        #expect(values.remarks == ["flowLogsDestDomainsByClient has no counterpart in Weir, and is not used"])
    }
}

@Suite struct SettingsEnvironmentTests {
    @Test func readsVariables() {
        let values = SettingValues(environment: [
            "WEIR_FLUSH_INTERVAL": "5m", "WEIR_INTERFACE": "eth*, bond0", "WEIR_KUBERNETES": "1", "PATH": "/bin",
            "FELIX_FLOWLOGSFLUSHINTERVAL": "15", "felix_FlowLogsFileAggregationKindForDenied": "0",
            "FELIX_FLOWLOGSFILEENABLED": "true", "FELIX_FLOWLOGSGOLDMANESERVER": "goldmane:7443", "FELIX_OTHER": "x",
        ])
        #expect(values.faults == [])
        #expect(values.entries["flush-interval"] == .init(["5m"], .environment("WEIR_FLUSH_INTERVAL")))
        #expect(values.entries["interface"]?.values == ["eth*", "bond0"])
        #expect(values.entries["kubernetes"]?.values == ["true"])
        #expect(values.entries["aggregation-denied"]?.values == ["0"])
        #expect(values.remarks == ["FELIX_FLOWLOGSGOLDMANESERVER has no counterpart in Weir, and is not used"])
    }

    @Test(arguments: [
        ("15", "15s"), ("0.5", nil), ("1.5", "1500ms"), ("5m0s", "300s"), ("1h2m", "3720s"), ("x", nil), ("-1", nil),
    ])
    func readsFelixTimes(_ text: String, _ value: String?) {
        let values = SettingValues(environment: ["FELIX_FLOWLOGSFLUSHINTERVAL": text])
        #expect(values.entries["flush-interval"]?.values == value.map { [$0] })
        #expect(values.faults.isEmpty == (value != nil))
    }

    @Test func ignoresKubernetesServiceVariables() {
        let values = SettingValues(environment: [
            "WEIR_SERVICE_HOST": "10.0.0.1", "WEIR_PORT": "tcp://10.0.0.1:9464", "WEIR_PORT_9464_TCP_ADDR": "10.0.0.1",
            "WEIR_SERVICE_PORT_METRICS": "9464", "WEIR_FLUSH_INTERVALL": "1s",
        ])
        #expect(values.entries.isEmpty && values.faults.isEmpty)
        #expect(
            values.remarks == ["WEIR_FLUSH_INTERVALL is no setting, and not used; did you mean WEIR_FLUSH_INTERVAL?"]
        )
    }
}

@Suite struct ResolvedSettingsTests {
    private static func file(_ text: String) throws -> String {
        let path = NSTemporaryDirectory() + "weir-resolved-\(UUID().uuidString).yaml"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    @Test func prefersArgumentsThenEnvironmentThenFile() throws {
        let path = try Self.file("flush-interval: 1m\ninterface: [a, b]\nhost: f\nkubernetes: true\nmismatches: true\n")
        defer { try? FileManager.default.removeItem(atPath: path) }
        let resolved = ResolvedSettings(
            arguments: ["--interface", "c", "--config=\(path)", "--", "--host", "x"],
            environment: ["WEIR_HOST": "e", "WEIR_MISMATCHES": "no"],
            defaultPath: "/nonexistent"
        )
        #expect(resolved.faults == [])
        #expect(resolved.arguments == ["--kubernetes", "--host=e", "--flush-interval=1m"])
        let origins = Dictionary(
            uniqueKeysWithValues: resolved.listing.map { ($0.setting.name, "\($0.values) \($0.origin)") }
        )
        #expect(origins["interface"] == "[\"c\"] command line")
        #expect(origins["host"] == "[\"e\"] WEIR_HOST")
        #expect(origins["flush-interval"] == "[\"1m\"] \(path):1")
        #expect(origins["mismatches"] == "[\"false\"] WEIR_MISMATCHES")
        #expect(origins["table-slots"] == "[\"131072\"] default")
    }

    /// The package's file has `pin: true`, and `weir run --no-pin` beside it is no contradiction.
    @Test func conflictingSettingOverridesEarlierSource() throws {
        let path = try Self.file("pin: true\nkubernetes: true\n")
        defer { try? FileManager.default.removeItem(atPath: path) }
        let options = ["--config", path, "--no-pin"]
        let resolved = ResolvedSettings(arguments: options, environment: ["WEIR_KUBECONFIG": "/k"])
        #expect(resolved.arguments == ["--kubeconfig=/k"])
        let both = try Self.file("pin: true\nno-pin: true\n")
        defer { try? FileManager.default.removeItem(atPath: both) }
        #expect(ResolvedSettings(file: both).arguments == ["--pin", "--no-pin"])
        let off = ResolvedSettings(arguments: ["--config", path], environment: ["WEIR_NO_PIN": "false"])
        #expect(off.arguments == ["--pin", "--kubernetes"])
    }

    @Test func runtimeErrorIncludesSettingOrigin() throws {
        let outputs = "output: [stdout, 'file:/x/y;max-size=1M']\n"
        let path = try Self.file("log-level: info\nhttp-token-file: /etc/tok\n" + outputs)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let resolved = ResolvedSettings(arguments: ["--config", path, "--report", "/r"], environment: [:])
        for (text, place) in [
            ("/etc/tok: open: info is missing", ":2: http-token-file: "), ("open file:/x/y: full", ":3: output: "),
            ("output: file:/x/y", ":3: "),
        ] {
            #expect(resolved.fault(behind: text) == path + place + text)
        }
        #expect(resolved.fault(behind: "/r: full") == nil)
        #expect(resolved.fault(behind: "stdout and info") == nil)
    }

    @Test func onlyDefaultFileMayBeMissing() {
        #expect(ResolvedSettings(arguments: [], environment: [:], defaultPath: "/nonexistent").faults == [])
        #expect(ResolvedSettings(arguments: ["--config", "/nonexistent"], environment: [:]).faults.count == 1)
        #expect(ResolvedSettings(arguments: [], environment: ["WEIR_CONFIG": "/nonexistent"]).faults.count == 1)
    }

    @Test(arguments: [
        ("https://user:pass@host/x", "https://redacted@host/x"), ("https://host/a@b", "https://host/a@b"),
        ("https://host/in?key=s3cret&x=1", "https://host/in?redacted"),
        ("loki:https://host/in?k=@;filter=a == \"?\"", "loki:https://host/in?redacted;filter=a == \"?\""),
        ("file:/a@b", "file:/a@b"), ("https://a:b@c@host?x", "https://redacted@host?redacted"), ("", ""),
    ])
    func redactsCredentialsInURLs(_ value: String, _ shown: String) {
        #expect(ResolvedSettings.redacted(value) == shown)
    }

    /// The example file is valid when all its settings are uncommented.
    @Test func exampleFileHasNoFaults() throws {
        let lines = SettingsReference.yaml.split(separator: "\n").filter { $0.hasPrefix("#") && !$0.hasPrefix("# ") }
        #expect(lines.count == Setting.all.count)
        let path = try Self.file(lines.map { $0.dropFirst() }.joined(separator: "\n"))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let faults = SettingValues(file: path).faults
        #expect(faults == [], "\(faults)")
        #expect(SettingValues(file: path).entries.count == Setting.all.count)
    }

    @Test func referenceListsEverySetting() {
        let text = SettingsReference.markdown
        for setting in Setting.all {
            #expect(text.contains("\n| `\(setting.name)` | "))
            #expect(text.contains("\n- **`\(setting.name)`**: "))
        }
        #expect(Set(Setting.all.map(\.name)).count == Setting.all.count)
    }
}
