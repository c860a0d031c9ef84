import Agent
import ArgumentParser
import Audit
import Foundation

extension AuditCommand {
    /// `weir audit tail`: prints one line per request.
    struct Tail: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print each request that changes something, in words, as the log has them.",
            discussion: """
                A request is one line, at its end; its stages are joined. What was denied, failed, met a conflict or was \
                a dry run is marked. Secrets appear without their contents.

                Examples:
                  weir audit tail kube-audit.log
                  weir audit tail --follow --user 'system:serviceaccount:kube-system:*' kube-audit.log
                  weir audit tail --verb delete -o raw kube-audit.log
                """
        )

        @OptionGroup var input: AuditFileOptions
        @OptionGroup(title: "Which requests") var selection: AuditSelectionOptions

        @Flag(name: .shortAndLong, help: "Follow the file, also across rotation.")
        var follow = false

        @Flag(help: "Also requests that only read.")
        var reads = false

        @Option(help: ArgumentHelp("Only the last so many.", valueName: "number"))
        var last: Int?

        @Option(name: .shortAndLong, help: "text, json or raw: words, a JSON object each, or the events as they are.")
        var output = AuditFormat.text

        @Flag(help: "Times are UTC, not local.")
        var utc = false

        func validate() throws {
            if let last, !(1...1_000_000 ~= last) {
                throw ValidationError("--last \(last): a number from 1 to 1000000 is needed")
            }
        }

        func run() throws {
            var view = AuditView(selection, writesOnly: !reads)
            var source = try AuditInput(input, where: view.neededEvents)
            var printer = AuditPrinter(output, isUTC: utc)
            // To print only the last lines, all lines are buffered until the end is reached.
            var kept: [[UInt8]] = []
            var isLive = last == nil
            let show: AuditInput.Show = { event, bytes, line in
                guard let change = view.change(event, bytes), let text = printer.line(change, bytes[line]) else {
                    return
                }
                if isLive { return try printer.add(text) }
                kept.append(text)
                if let last, kept.count > 2 * last { kept.removeFirst(kept.count - last) }
            }
            let pause = {
                for text in kept.suffix(last ?? 0) { try printer.add(text) }
                kept = []
                isLive = isLive || follow
                try printer.flush()
            }
            if follow {
                let stop = StopSource()
                let signals = StopSignals(stop)
                defer { withExtendedLifetime(signals) {} }
                try source.follow(until: stop, show, pause: pause)
            } else {
                try source.read(show)
            }
            try pause()
            for change in view.unfinished {
                if let text = printer.line(change, []) { try printer.add(text) }
            }
            try printer.flush()
            for line in [source.warning, printer.note].compactMap(\.self) { complain(line) }
        }
    }
}

/// Selects the changes of a log that a command shows.
struct AuditView {
    private var selection: AuditSelection
    private var join = AuditJoin()
    private var reader = ChangeReader()

    /// Takes the options of a command.
    init(_ options: AuditSelectionOptions, writesOnly: Bool) {
        selection = options.selection
        selection.writesOnly = writesOnly
    }

    /// The events that must be passed in: all of the objects that may be selected, because changes are compared with earlier ones.
    var neededEvents: AuditSelection {
        var needed = selection.ofObjects
        needed.writesOnly = selection.writesOnly
        return needed
    }

    /// The request that an event completes, if it is selected; nil otherwise.
    ///
    /// Every event of ``neededEvents`` must be passed in.
    mutating func change(_ event: AuditEvent, _ bytes: [UInt8]) -> AuditChange? {
        guard join.take(event) else { return nil }
        let change = reader.change(event, in: bytes.span) ?? AuditChange(event)
        return selection.matches(event) ? change : nil
    }

    /// The selected requests whose last stage is not in the log.
    var unfinished: [AuditChange] { join.unfinished.filter { selection.matches($0) }.map { AuditChange($0) } }
}
