import Export
package import Logging
import Posix
import Server
import Synchronization

/// Ships audit logs.
///
/// A separate thread follows the logs, passes their events to outputs, and stores the positions up to which events were
/// delivered.
///
/// One batch is in progress at a time. The shipper stores its number and its end before it passes the batch to the outputs,
/// and its completion when every output has written it. If a run is killed in between, the next run builds the same batch:
/// files are truncated first, a spool delivers only noted batches, and a server receives the same events and
/// identifiers.
package final class AuditShipper: Sendable {
    /// Joins changes with the verdicts that they affected.
    package let changes = ChangeBoard()
    private let logger: Logger
    private let outputs: [Output]
    /// Receives the events that API servers send; nil if no webhook is configured.
    package let webhook: AuditWebhook?
    private let server: HTTPServer?
    private let counter = Mutex(AuditShippingCounts())
    private let stopping = Atomic<Bool>(false)
    private let wakeUp = WakeUp()
    private let ended = WakeUp()

    private static let queueLimit = 64 << 20

    /// Opens the outputs and begins.
    ///
    /// - Parameters:
    ///   - shipping: the logs and their destinations.
    ///   - sinks: the receivers of changes.
    ///   - logger: for problems.
    /// - Throws: the reason why an output or the state cannot be opened.
    package init(_ shipping: AuditShipping, sinks: [any AuditChangeSink] = [], logger: Logger) throws(AgentError) {
        self.logger = logger
        do {
            let file = try AuditStateFile(shipping.statePath)
            let state = try file.read()
            outputs = try Self.open(shipping, state, logger)
            webhook = try shipping.webhook.map { _ in try AuditWebhook(shipping.journalPath, logger: logger) }
            server = try webhook.flatMap { try Self.listen(shipping, $0, logger) }
            try WorkerThread.start("weir-audit") { [self] in
                var run = AuditShippingRun(shipping, outputs, sinks, changes, file, state, logger)
                while !isStopping { step(&run) }
                // Lines that were written since the last read belong to this run.
                run.readAndDeliver(until: .now + .seconds(2)) { true }
                counter.withLock { $0 = run.counts }
                file.release()
                ended.signal()
            }
        } catch let error as OutputError {
            throw .output(error)
        } catch let error as ServerError {
            throw .server(error)
        } catch let error as FileError {
            throw .file(error)
        } catch {
            let advice = "only one run may ship audit logs with the same state; --audit-state names another one"
            throw .file(FileError(path: shipping.statePath, reason: "\(error)", advice: advice))
        }
    }

    private static func open(
        _ shipping: AuditShipping,
        _ state: AuditState,
        _ logger: Logger
    ) throws(OutputError) -> [Output] {
        var outputs: [Output] = []
        for output in shipping.outputs {
            if let path = output.specification.filePath {
                let bytes = WrittenFile.cutBack(path, to: state.files)
                if bytes > 0 {
                    logger.info(
                        "removed the last audit events of a run that died: they are shipped again",
                        metadata: ["output": "\(path)", "bytes": "\(bytes)"]
                    )
                }
            }
            var options = output.options
            options.http.hostName = shipping.hostName
            // Events that were not noted as delivered are read again from the logs and the journal.
            options.keepsUnsent = true
            let opened = try Output(
                output.specification,
                options: options,
                queueLimit: queueLimit,
                lastFlush: state.origin,
                logger: logger
            )
            opened.note(noted: state.origin)
            outputs.append(opened)
        }
        return outputs
    }

    /// Starts the server for API servers.
    private static func listen(
        _ shipping: AuditShipping,
        _ webhook: AuditWebhook,
        _ logger: Logger
    ) throws(ServerError) -> HTTPServer? {
        guard let configuration = shipping.webhook else { return nil }
        let routes = [AuditWebhookRoutes(webhook: webhook)]
        return try Waiting.run { () async -> Result<HTTPServer, ServerError> in
            do throws(ServerError) {
                return .success(try await HTTPServer(configuration, routes: routes, logger: logger))
            } catch {
                return .failure(error)
            }
        }
        .get()
    }

    /// The port of the server for API servers; nil if there is none.
    package var port: Int? { server?.port }

    /// TLS handshakes of API servers that failed, and requests without the token.
    package var refused: (handshakes: Int, requests: Int) { server?.refused ?? (0, 0) }

    private func step(_ run: inout AuditShippingRun) {
        let hasMore = run.readAndDeliver(until: nil) { !self.isStopping }
        counter.withLock { $0 = run.counts }
        if !hasMore { wakeUp.wait(atMost: .milliseconds(200)) }
    }

    private var isStopping: Bool { stopping.load(ordering: .acquiring) }

    /// The counts of lines so far.
    package var counts: AuditShippingCounts { counter.withLock { $0 } }

    /// Ships the events that the logs contain now, within a few seconds, and stops the thread.
    package func finish() {
        server?.stop()
        webhook?.stop()
        stopping.store(true, ordering: .releasing)
        wakeUp.signal()
        ended.wait(atMost: .seconds(8))
        for output in outputs { output.stop(by: .now + .seconds(1)) }
        for output in outputs { _ = output.finish(within: .seconds(1)) }
        let counts = counts
        var metadata: Logger.Metadata = [:]
        if outputs.isEmpty {
            metadata["changes"] = "\(counts.changes)"
        } else {
            metadata["shipped"] = "\(counts.shipped)"
            metadata["withheld"] = "\(counts.withheld)"
        }
        if counts.malformed + counts.tooLong > 0 { metadata["unusable-lines"] = "\(counts.malformed + counts.tooLong)" }
        if counts.gaps > 0 { metadata["gaps"] = "\(counts.gaps)" }
        let what = outputs.isEmpty ? "audit logs were read" : "audit events were shipped"
        logger.info("\(what)", metadata: metadata)
    }
}
