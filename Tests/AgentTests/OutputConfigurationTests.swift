import Compression
import Export
import Filter
import FlowLog
import FlowModel
import Testing

@testable import Agent

@Suite("outputs with options")
struct OutputConfigurationTests {
    @Test func readsOptionsBehindSemicolons() throws {
        let plain = try OutputConfiguration(parsing: "file:/var/log/a.log")
        #expect(plain == OutputConfiguration(.file(path: "/var/log/a.log")))
        let text = "file:/var/log/a.log;filter=source_name == \"a;b\" && action == 'deny'; drop =proto==6"
        let output = try OutputConfiguration(parsing: text)
        #expect(output.specification == .file(path: "/var/log/a.log"))
        #expect(output.selection.keep == (try Filter("source_name == 'a;b' && action == \"deny\"")))
        #expect(output.selection.drop == (try Filter("proto == \"tcp\"")))
    }

    @Test func optionsOverrideDefaults() throws {
        var defaults = OutputConfiguration(.standardOutput)
        defaults.selection = RecordSelection(keep: try Filter("proto == 6"), drop: try Filter("bytes_in == 0"))
        #expect(try OutputConfiguration(parsing: "stdout", defaults: defaults) == defaults)
        let own = try OutputConfiguration(parsing: "stdout;filter=proto == 17", defaults: defaults).selection
        #expect(own == RecordSelection(keep: try Filter("proto == 17"), drop: try Filter("bytes_in == 0")))
    }

    /// Lines that are not flow records take the options of files and spools, but select no records.
    @Test func linesTakeDefaultsOfFiles() throws {
        let defaults = try OutputConfiguration(parsing: "stdout;mode=0600;max-size=off;spool=/s;filter=proto == 6")
        let lines = try OutputConfiguration(ofLines: "file:/a;max-files=3", defaults: defaults)
        #expect(lines.specification == .file(path: "/a") && lines.selection == RecordSelection())
        #expect(lines.options.fileMode == 0o600 && lines.options.spoolFolder == "/s")
        #expect(lines.options.rotation.maximumBytes == nil && lines.options.rotation.maximumFiles == 3)
    }

    @Test(arguments: [
        "filter=proto == 6", " drop =proto == 6", "with-host", "interval=5m", "include-labels=off", "content=cef",
    ])
    func linesRefuseOptionsOfRecords(_ option: String) {
        let defaults = OutputConfiguration(.standardOutput)
        let error = #expect(throws: OutputConfigurationError.self) {
            try OutputConfiguration(ofLines: "file:/a;max-files=3;\(option)", defaults: defaults)
        }
        let name = option.prefix { $0 != "=" }.filter { $0 != " " }
        let reason =
            "\(name) is only for flow records; the DNS log takes max-size, max-files, max-age, min-age, compress, "
            + "mode, spool, spool-max-size, spool-full, ca-file, cert-file, key-file, server-name"
        #expect(error?.reason == reason)
    }

    @Test func readsOptionsOfFiles() throws {
        let text = "file:/a;max-size=10M;max-files=3;max-age=1d;min-age=0s;compress;mode=0600;with-host=on"
        let output = try OutputConfiguration(parsing: text)
        let rotation = FileRotation(
            maximumBytes: 10 << 20,
            maximumFiles: 3,
            maximumAge: .seconds(86_400),
            minimumAge: .zero,
            compression: .gzip
        )
        #expect(output.options.rotation == rotation)
        #expect(output.options.fileMode == 0o600)
        #expect(output.selection.isWithHost)
        #expect(try OutputConfiguration(parsing: "file:/a;max-size=off").options.rotation.maximumBytes == nil)
        for (value, compression) in [("on", FileCompression.gzip), ("zstd", .zstd), ("off", nil)] {
            let output = try OutputConfiguration(parsing: "file:/a;compress=\(value)")
            #expect(output.options.rotation.compression == compression)
        }
    }

    @Test func readsLevelsIntervalsAndParts() throws {
        let text =
            "stdout;aggregation-allowed=3;record-denied=off;interval=5m;interval-denied=30s;include-labels=false;"
            + "include-policies=off;dynamic-aggregation=1M"
        let selection = try OutputConfiguration(parsing: text).selection
        #expect(selection.levelForAllowed == .noDestinationPort && selection.levelForDenied == nil)
        #expect(selection.recordsAllowed && !selection.recordsDenied)
        #expect((selection.intervalForAllowed, selection.intervalForDenied) == (300, 30))
        #expect(!selection.detail.includesLabels && !selection.detail.includesPolicies)
        #expect(selection.detail.includesService)
        #expect(selection.easing == .init(threshold: 1 << 20, positionFile: nil))
        let tailed = try OutputConfiguration(parsing: "file:/a;position-file=/a.pos").selection.easing
        #expect(tailed == .init(threshold: 8192, positionFile: "/a.pos"))
    }

    @Test(arguments: [
        ("stdout;aggregation-denied=4", "a level from 0 to 3"), ("stdout;interval=1500ms", "whole seconds"),
        ("stdout;include-service=1", "on or off"), ("stdout;dynamic-aggregation=much", "is no size"),
        ("file:/a;max-size=many", "max-size: \"many\" is no size"), ("file:/a;mode=0999", "mode: \"0999\" is no mode"),
        ("file:/a;mode=0044", "is no mode"), ("file:/a;max-age=5x", "\"5x\" is no time"),
        ("file:/a;compress=yes", "gzip, zstd or off"), ("file:/a;max-files=-1", "a number from 0 to 10000"),
        ("stdout;", "\"\" is no option"), ("stdout;filtre=x", "\"filtre\" is no option; the options are filter"),
        ("stdout;filter=prot == 6", "stdout: filter: position 1: there is no field \"prot\"; did you mean proto?"),
        ("file:;filter=all()", "the path is empty"), ("nowhere;filter=all()", "it has no kind before a colon"),
    ])
    func rejectsInvalidOption(text: String, reason: String) {
        let error = #expect(throws: (any Error).self) { try OutputConfiguration(parsing: text) }
        #expect("\(error.map { "\($0)" } ?? "")".contains(reason))
    }
}
