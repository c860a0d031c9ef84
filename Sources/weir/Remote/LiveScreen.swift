import Agent
import Foundation
import Records
import Synchronization

/// Prints the records of agents, which several tasks read.
final class LiveScreen: Sendable {
    private struct State {
        var printer: RecordPrinter
        var failure: CommandFailure?
        /// Records held until the stored records are printed; nil if records are printed immediately.
        var held: [(record: ReadRecord, node: String?)]?
        var lost = 0
    }

    private let state: Mutex<State>
    private let stop: StopSource

    /// The maximum number of held records.
    private static let limit = 100_000

    /// Prints records with a printer, and stops the command if printing fails.
    ///
    /// - Parameters:
    ///   - printer: prints the records.
    ///   - stop: is stopped if writing to standard output fails.
    ///   - holds: whether records are held until ``release(after:_:)``.
    init(_ printer: RecordPrinter, _ stop: StopSource, holds: Bool = false) {
        state = Mutex(State(printer: printer, held: holds ? [] : nil))
        self.stop = stop
    }

    /// The reason why printing failed; nil if it has not.
    var failure: CommandFailure? { state.withLock { $0.failure } }

    /// The number of records that agents dropped before this command could read them.
    var lost: Int { state.withLock { $0.lost } }

    /// Takes the lines of a chunk.
    ///
    /// - Parameters:
    ///   - lines: the lines.
    ///   - node: the node of the agent that sent it, if there are several nodes.
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

    /// Prints the earlier records, then the held ones, and from then on new records immediately.
    ///
    /// - Parameters:
    ///   - end: the end of the earlier records, Unix seconds; held records up to this time are duplicates.
    ///   - before: adds the earlier records to the printer.
    /// - Throws: the error that `before` throws.
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

    /// Prints a message for the user between records.
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
        complain(line)
    }
}
