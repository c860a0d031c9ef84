import Agent
import Foundation
import Records
import Synchronization

/// Where records of agents, which several tasks read, are printed.
final class LiveScreen: Sendable {
    private struct State {
        var printer: RecordPrinter
        var failure: CommandFailure?
        /// Records that wait until what was before is printed; nil: they are printed at once.
        var held: [(record: ReadRecord, node: String?)]?
        var lost = 0
    }

    private let state: Mutex<State>
    private let stop: StopSource

    /// Records that are held at most.
    private static let limit = 100_000

    /// Prints with a printer, and ends the command if nothing can be printed.
    ///
    /// - Parameters:
    ///   - printer: writes records.
    ///   - stop: is stopped when standard output takes no more.
    ///   - holds: whether records wait for ``release(after:_:)``.
    init(_ printer: RecordPrinter, _ stop: StopSource, holds: Bool = false) {
        state = Mutex(State(printer: printer, held: holds ? [] : nil))
        self.stop = stop
    }

    /// Why nothing could be printed; nil if it could.
    var failure: CommandFailure? { state.withLock { $0.failure } }

    /// Records that agents could not keep for this command.
    var lost: Int { state.withLock { $0.lost } }

    /// Takes what a piece of a stream says.
    ///
    /// - Parameters:
    ///   - lines: of the piece.
    ///   - node: whose agent sent it, where there are several.
    func take(_ lines: [LiveLineReader.Line], from node: String? = nil) {
        state.withLock { state in
            for line in lines {
                switch line {
                case .lost(let count):
                    state.lost += count
                    say(
                        "-- \(node.map { "\($0): " } ?? "")\(count) records are missing here: this command was too slow"
                    )
                case .record(let record):
                    guard let held = state.held else {
                        state.printer.add(record, node: node)
                        continue
                    }
                    if held.count < Self.limit { state.held?.append((record, node)) } else { state.lost += 1 }
                }
            }
            flush(&state)
        }
    }

    /// Prints what was before, and from then on what comes.
    ///
    /// - Parameters:
    ///   - end: records up to this time are among those before, Unix seconds.
    ///   - before: adds those before to the printer.
    /// - Throws: what `before` throws.
    func release(after end: () -> Int64, _ before: (inout RecordPrinter) throws -> Void) throws {
        try state.withLock { state in
            try before(&state.printer)
            let last = end()
            for (record, node) in state.held ?? [] where Int64(clamping: record.integer(.endTime)) > last {
                state.printer.add(record, node: node)
            }
            state.held = nil
            flush(&state)
        }
    }

    /// A line for people, between records.
    func note(_ line: String) { say("-- \(line)") }

    private func flush(_ state: inout State) {
        do {
            try state.printer.flush()
        } catch {
            state.failure = state.failure ?? (error as? CommandFailure)
            stop.stop()
        }
    }

    private func say(_ line: String) {
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }
}
