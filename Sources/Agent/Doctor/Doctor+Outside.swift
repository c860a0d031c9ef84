import ClusterModel
import ClusterSource
import Datapath
import Export
import Glibc
import Logging
import Posix
import Server

// MARK: - Hooks

extension Doctor {
    /// Examines other programs on the hooks, and their effect on counting.
    func hooks() -> [Examination] {
        let survey: HookSurvey
        do throws(DatapathError) {
            survey = try HookSurvey()
        } catch {
            return [Examination("other programs", .degraded, "\(error)")]
        }
        let found = survey.interfaces.compactMap(Self.examine)
        guard found.isEmpty else { return found }
        return [Examination("other programs", .ok, "none that matter on \(survey.examined) interfaces")]
    }

    private static func examine(_ interface: HookSurvey.Interface) -> Examination? {
        var seen: [String] = []
        var costs: [String] = []
        if let xdp = interface.xdp {
            seen.append("XDP \(name(xdp))")
            costs.append("what the XDP program drops, redirects or answers is not seen as traffic")
        }
        describe(interface.tcxIngress, "TCX ingress", &seen)
        describe(interface.tcxEgress, "TCX egress", &seen)
        describe(interface.filtersIngress, "clsact ingress", &seen)
        describe(interface.filtersEgress, "clsact egress", &seen)
        if let first = interface.tcxIngress.first(where: { !$0.isOurs }), isBefore(first, in: interface.tcxIngress) {
            costs.append("what \(name(first)) drops or redirects on ingress is not seen")
        }
        if interface.tcxEgress.contains(where: { !$0.isOurs }) {
            costs.append("what a program before Weir's ends on egress (drops, redirects, passes at once) is not seen")
        }
        if interface.filtersEgress.contains(where: { !$0.isOurs }), interface.tcxEgress.contains(where: \.isOurs) {
            costs.append("what a clsact filter drops on egress was counted as sent")
        }
        let others = [interface.xdp].compactMap(\.self) + interface.tcxIngress + interface.tcxEgress
        guard (others + interface.filtersIngress + interface.filtersEgress).contains(where: { !$0.isOurs }) else {
            return nil
        }
        return Examination(
            "other programs",
            costs.isEmpty ? .ok : .degraded,
            "\(interface.name): \(seen.joined(separator: ", "))",
            cost: costs.joined(separator: "; "),
            fix: costs.isEmpty ? "" : "nothing, if this is intended; docs/operations.md describes what is counted where"
        )
    }

    /// Whether another program runs before Weir's.
    private static func isBefore(_ other: HookSurvey.Program, in programs: [HookSurvey.Program]) -> Bool {
        guard let ours = programs.firstIndex(where: \.isOurs), let place = programs.firstIndex(of: other) else {
            return false
        }
        return place < ours
    }

    private static func describe(_ programs: [HookSurvey.Program], _ hook: String, _ seen: inout [String]) {
        guard !programs.isEmpty else { return }
        seen.append("\(hook) \(programs.map(name).joined(separator: " → "))")
    }

    private static func name(_ program: HookSurvey.Program) -> String {
        program.name.isEmpty ? "program \(program.id)" : program.name
    }
}

// MARK: - Outputs, HTTP

extension Doctor {
    func outputs() -> [Examination] {
        let named = configuration.outputs.map { ("output", $0) } + configuration.dnsOutputs.map { ("DNS log", $0) }
        return named.flatMap { name, output in
            Self.examine(
                output,
                name: name,
                spool: "spool",
                waiting: "records wait in memory, and are dropped when the queue is full"
            )
        }
    }

    /// Examines a folder that a run writes to, and creates if it is missing.
    ///
    /// - Parameters:
    ///   - name: the name of the examination.
    ///   - path: the folder.
    ///   - cost: the consequence of a folder that cannot be written to.
    /// - Returns: ok if the folder, or its nearest existing parent, is writable.
    package static func folder(_ name: String, _ path: String, cost: String) -> Examination {
        var there = path
        while access(there, F_OK) != 0, there != "/", there != "." { there = TrustedFile.folder(of: there) }
        guard access(there, W_OK | X_OK) != 0 else { return Examination(name, .ok, path) }
        let reason = String(cString: strerror(errno)).lowercased()
        let fix = "give a folder that this user may write to, on a disk that is not read-only"
        return Examination(name, .degraded, "\(there): \(reason)", cost: cost, fix: fix)
    }

    /// Examines the inventory files that a run requires to start.
    func inventoryFiles() -> [Examination] {
        let paths = configuration.inventory.paths
        guard !paths.isEmpty else { return [] }
        let files = FileSource(
            paths: paths,
            firstSource: SourceID(rawValue: 0),
            observer: IgnoringObserver(),
            logger: Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() }
        )
        do throws(FileSourceError) {
            try files.load()
            return [Examination("inventory", .ok, paths.joined(separator: ", "))]
        } catch {
            return [
                Examination(
                    "inventory",
                    .missing,
                    "\(error)",
                    cost: "Weir does not start",
                    fix: "correct the path or the file; weir inventory check names everything that is wrong"
                )
            ]
        }
    }

    func server() async -> [Examination] {
        guard let server = configuration.server else { return [] }
        do throws(ServerError) {
            let trial = try await HTTPServer(
                server.required,
                routes: [],
                logger: Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() }
            )
            defer { trial.stop() }
            return [Examination("metrics and health", .ok, trial.places.joined(separator: ", "))]
        } catch {
            if let running, case .listen = error {
                return [Examination("metrics and health", .ok, "a run of Weir answers on \(running)")]
            }
            return [
                Examination(
                    "metrics and health",
                    server.isAddressRequired || server.isSocketRequired ? .missing : .degraded,
                    "\(error)",
                    cost: "metrics and health are not served there",
                    fix: "choose another address (--http), or end the program that listens there"
                )
            ]
        }
    }
}

extension HTTPServerConfiguration {
    /// This configuration with all addresses required.
    fileprivate var required: HTTPServerConfiguration {
        var required = self
        required.isAddressRequired = true
        required.isSocketRequired = true
        return required
    }
}

// MARK: - API server

extension Doctor {
    /// An observer that ignores all changes.
    private struct IgnoringObserver: ClusterObserver {
        func observe(_ changes: [ClusterChange], from source: SourceID) {}
    }

    func apiServer() async -> [Examination] {
        guard let cluster = configuration.inventory.cluster else { return [] }
        let place = cluster.place
        let source: KubernetesSource
        do throws(KubernetesError) {
            source = try KubernetesSource(
                configuration: cluster,
                observer: IgnoringObserver(),
                source: SourceID(rawValue: 0),
                staleness: configuration.inventory.staleness,
                userAgent: configuration.inventory.userAgent,
                logger: Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() }
            )
        } catch {
            return [
                Examination(
                    "API server",
                    .missing,
                    "\(place): \(error)",
                    cost: "Weir does not start",
                    fix: "correct the file that the reason names"
                )
            ]
        }
        let task = Task { await source.run() }
        _ = await source.waitUntilSynced(timeout: .seconds(10))
        task.cancel()
        await task.value
        return Self.examine(source.statistics, at: place)
    }

    /// Examines how much of the cluster is known.
    ///
    /// - Parameters:
    ///   - statistics: the statistics of a source that ran for some seconds.
    ///   - place: the API server.
    /// - Returns: the examinations of the server and of missing parts.
    static func examine(_ statistics: KubernetesStatistics, at place: String) -> [Examination] {
        let kinds = statistics.kinds.sorted { $0.key.rawValue < $1.key.rawValue }
        let names = { (state: (KindStatistics) -> Bool) in
            kinds.filter { state($0.value) }.map(\.key.rawValue).joined(separator: ", ")
        }
        let forbidden = names(\.isForbidden)
        let waiting = names { !$0.isSettled }
        let error = kinds.lazy.compactMap(\.value.lastError).first
        // A reason that an operator can remove ends with the remedy.
        let parts = (error ?? "no answer").split(separator: "; ", maxSplits: 1).map(String.init)
        if statistics.unreachableSince != nil || !kinds.contains(where: { $0.value.isSynced || $0.value.isForbidden }) {
            return [
                Examination(
                    "API server",
                    .degraded,
                    "\(place): \(parts[0])",
                    cost: "records have no names until it answers",
                    fix: parts.count > 1
                        ? parts[1] : "check the address, and the way there (kubectl get --raw /version)"
                )
            ]
        }
        var found = [Examination("API server", .ok, "\(place) answers")]
        if !forbidden.isEmpty {
            found.append(
                Examination(
                    "rights",
                    .degraded,
                    "may not list or watch \(forbidden)",
                    cost: "docs/inventory.md lists what records lack without each",
                    fix: "bind the ClusterRole of deploy/"
                )
            )
        }
        if !waiting.isEmpty {
            found.append(
                Examination(
                    "objects",
                    .degraded,
                    "not all are known after 10 s of \(waiting)\(error.map { ": \($0)" } ?? "")",
                    cost: "records lack names until they are",
                    fix: "wait, or see the reason"
                )
            )
        }
        return found
    }
}
