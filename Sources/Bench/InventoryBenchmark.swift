import ClusterModel
import FlowModel
import Glibc
import Inventory

/// Measures the cost of the inventory of a large cluster: lookups compared with a dictionary keyed by the address's text,
/// memory, and changes.
///
/// 100,000 pods with some eight labels, 20,000 services, 200,000 endpoints in slices, 5,000 prefixes of network sets.
package enum InventoryBenchmark {
    private static let rounds = 15
    private static let lookups = 200_000
    /// The number of changes a second for which the share of a core is computed.
    private static let rate = 1_000.0

    /// Measures lookups, memory, the cost of changes, and the memory in use after 2,000,000 changes.
    ///
    /// - Throws: nothing today.
    package static func run(_ emit: (Measurement) -> Void) throws {
        let empty = Memory.resident
        var cluster = SampleCluster()
        var inventory = Inventory(hostName: SampleCluster.node(0))
        inventory.expectsWorkloads = true
        let filled = fastest(of: 1) { cluster.fill(&inventory) }
        emit(.alone("inventory/memory", unit: "MiB", value: Memory.resident - empty, against: "nothing known"))
        emit(.alone("inventory/fill", unit: "ms", value: filled / 1e6, against: "an empty inventory"))
        measureChanges(&cluster, &inventory, emit)
        measureChurn(&cluster, &inventory, since: empty, emit)
        measureLookups(inventory.snapshot(), cluster, emit)
    }

    // MARK: Lookups

    private static func measureLookups(
        _ snapshot: InventorySnapshot,
        _ cluster: SampleCluster,
        _ emit: (Measurement) -> Void
    ) {
        let pods = SampleCluster.shuffled(lookups) { cluster.currentAddress($0 % SampleCluster.pods) }
        let outside = SampleCluster.shuffled(lookups) { SampleCluster.outsideAddress($0) }
        let called = SampleCluster.shuffled(lookups) { SampleCluster.serviceAddress($0 % SampleCluster.services) }
        let names = SampleCluster.textTable(pods: pods, snapshot)
        measureEndpoint("inventory/endpoint-known", snapshot, pods, names, emit)
        measureEndpoint("inventory/endpoint-in-network-set", snapshot, outside, names, emit)
        measureService(snapshot, called, emit)
        measureBackend(snapshot, pods, emit)
    }

    private static func measureEndpoint(
        _ name: String,
        _ snapshot: InventorySnapshot,
        _ addresses: [IPAddress],
        _ texts: [String: Endpoint],
        _ emit: (Measurement) -> Void
    ) {
        // As in the pipeline: both ends at once, through the protocol, and the results are stored.
        let resolver: any EndpointResolver = snapshot
        var last: (source: Endpoint, destination: Endpoint)?
        let ours = fastest(of: rounds) {
            for index in stride(from: 0, to: addresses.count - 1, by: 2) {
                last = resolver.endpoints(source: addresses[index], destination: addresses[index + 1])
            }
        }
        let baseline = fastest(of: rounds) {
            for address in addresses {
                if let found = texts[address.description] { last = (found, found) }
            }
        }
        precondition(last != nil, "lookups are done")
        emit(.perItem(name, ours, baseline, addresses.count, against: "[String: Endpoint] by the address's text"))
    }

    private static func measureService(
        _ snapshot: InventorySnapshot,
        _ addresses: [IPAddress],
        _ emit: (Measurement) -> Void
    ) {
        var texts: [String: ServicePort] = [:]
        for address in Set(addresses) {
            texts["\(address):80/tcp"] = snapshot.service(at: address, port: 80, proto: .tcp)
        }
        var found = 0
        let ours = fastest(of: rounds) {
            for address in addresses where snapshot.service(at: address, port: 80, proto: .tcp) != nil { found += 1 }
        }
        precondition(found == rounds * addresses.count, "every service is known")
        let baseline = fastest(of: rounds) {
            for address in addresses where texts["\(address):80/tcp"] != nil { found += 1 }
        }
        precondition(found == 2 * rounds * addresses.count, "every service is known by its text")
        emit(
            .perItem(
                "inventory/service",
                ours,
                baseline,
                addresses.count,
                against: "[String: ServicePort] by address:port/proto"
            )
        )
    }

    /// Measures whether a service sends connections to a place: the lookup alone, without a resulting endpoint.
    private static func measureBackend(
        _ snapshot: InventorySnapshot,
        _ addresses: [IPAddress],
        _ emit: (Measurement) -> Void
    ) {
        var found = 0
        let ours = fastest(of: rounds) {
            for address in addresses where snapshot.isServiceBackend(address, port: 8_080, proto: .tcp) { found += 1 }
        }
        let texts = Set(
            addresses.filter { snapshot.isServiceBackend($0, port: 8_080, proto: .tcp) }.map { "\($0):8080/tcp" }
        )
        let baseline = fastest(of: rounds) {
            for address in addresses where texts.contains("\(address):8080/tcp") { found -= 1 }
        }
        precondition(found == 0, "both know the same places")
        emit(
            .perItem("inventory/backend", ours, baseline, addresses.count, against: "Set<String> of address:port/proto")
        )
    }

    // MARK: Changes

    /// Measures changes in bundles of 50 with a snapshot after each: 1,000 changes a second, and a snapshot every 50 ms.
    private static func measureChanges(
        _ cluster: inout SampleCluster,
        _ inventory: inout Inventory,
        _ emit: (Measurement) -> Void
    ) {
        let bundles = 100
        var held = inventory.snapshot()
        var total = Double.infinity
        var longest = Double.infinity
        // The best of ten rounds, because other processes can only increase the time.
        for _ in 0..<10 {
            var (roundTotal, roundLongest) = (0.0, 0.0)
            for _ in 0..<bundles {
                let bundle = cluster.bundle()
                roundTotal += processorTime { cluster.apply(bundle, to: &inventory) }
                let taken = processorTime { held = inventory.snapshot() }
                roundTotal += taken
                roundLongest = max(roundLongest, taken)
            }
            total = min(total, roundTotal)
            longest = min(longest, roundLongest)
        }
        withExtendedLifetime(held) {}
        let change = total / Double(bundles * SampleCluster.bundleSize)
        emit(.alone("inventory/pod-change", unit: "ns", value: change, against: "20 snapshots a second included"))
        emit(
            .alone(
                "inventory/1000-changes-a-second",
                unit: "% of a core",
                value: change * rate / 1e7,
                against: "20 % is the most it may take"
            )
        )
        emit(
            .alone(
                "inventory/longest-snapshot",
                unit: "ms",
                value: longest / 1e6,
                against: "5 ms is the most it may take"
            )
        )
    }

    /// Measures the memory in use after 2,000,000 changes with snapshots in between.
    private static func measureChurn(
        _ cluster: inout SampleCluster,
        _ inventory: inout Inventory,
        since empty: Double,
        _ emit: (Measurement) -> Void
    ) {
        var held = inventory.snapshot()
        let before = Memory.resident
        var highest = before
        for round in 0..<2_000_000 / SampleCluster.bundleSize {
            cluster.apply(cluster.bundle(), to: &inventory)
            held = inventory.snapshot()
            if round.isMultiple(of: 100) { highest = max(highest, Memory.resident) }
        }
        withExtendedLifetime(held) {}
        emit(
            .alone(
                "inventory/growth-2000000-changes",
                unit: "MiB",
                value: Memory.resident - before,
                against: "before them"
            )
        )
        emit(.alone("inventory/memory-highest", unit: "MiB", value: highest - empty, against: "nothing known"))
    }
}

// MARK: - The cluster

/// A large cluster with a sequence of changes; the same in each run.
private struct SampleCluster {
    static let pods = 100_000
    static let services = 20_000
    static let replicas = 10
    static let prefixes = 5_000
    static let source = SourceID(rawValue: 1)

    private var generator = SplitMix(state: 0x5eed)
    /// The number of replacements of each pod, which is a part of its uid.
    private var lives = [UInt32](repeating: 0, count: pods)
    private var now: Int64 = 0

    static func node(_ number: Int) -> String { "worker-\(number).eu-central-1.compute.internal" }

    private static func podAddress(_ number: Int) -> IPAddress { IPAddress(ipv4: 0x0a00_0000 + UInt32(number) * 7) }

    /// Returns the present address of a pod: every second replacement changes it.
    func currentAddress(_ number: Int) -> IPAddress {
        Self.podAddress(number + (lives[number] % 2 == 0 ? 0 : Self.pods))
    }

    static func serviceAddress(_ number: Int) -> IPAddress { IPAddress(ipv4: 0xac10_0000 + UInt32(number)) }

    static func outsideAddress(_ number: Int) -> IPAddress {
        IPAddress(ipv4: 0xb900_0000 + UInt32(truncatingIfNeeded: number * 2_654_435_761) & 0xff_ffff)
    }

    /// Returns values of numbers in an order that no prefetcher predicts.
    static func shuffled(_ count: Int, _ value: (Int) -> IPAddress) -> [IPAddress] {
        var generator = SplitMix(state: 0xface)
        return (0..<count).map(value).shuffled(using: &generator)
    }

    static func textTable(pods: [IPAddress], _ snapshot: InventorySnapshot) -> [String: Endpoint] {
        var table: [String: Endpoint] = [:]
        for address in Set(pods) { table[address.description] = snapshot.endpoint(at: address) }
        return table
    }

    // MARK: Applying changes

    /// Adds all objects in pages, like lists of the API server.
    mutating func fill(_ inventory: inout Inventory) {
        for start in stride(from: 0, to: Self.pods, by: 500) {
            apply((start..<start + 500).map { .upsert(.pod(pod($0))) }, to: &inventory)
        }
        for start in stride(from: 0, to: Self.services, by: 500) {
            let numbers = start..<start + 500
            apply(numbers.map { .upsert(.service(Self.service($0))) }, to: &inventory)
            apply(numbers.map { .upsert(.serviceEndpoints(Self.slice($0))) }, to: &inventory)
        }
        apply((0..<500).map { .upsert(.networkSet(Self.networkSet($0))) }, to: &inventory)
    }

    mutating func apply(_ changes: [ClusterChange], to inventory: inout Inventory) {
        now += 50_000_000
        inventory.apply(changes, from: Self.source, at: now)
        inventory.expire(at: now)
    }

    /// The number of changes between two snapshots.
    static let bundleSize = 50

    /// Creates a bundle of changes.
    mutating func bundle() -> [ClusterChange] {
        (0..<Self.bundleSize / 2).flatMap { _ in rescheduling() }
    }

    /// Replaces a pod of a controller by one with another name and address.
    private mutating func rescheduling() -> [ClusterChange] {
        let number = Int(generator.next() % UInt64(Self.pods))
        let old = pod(number)
        lives[number] += 1
        let reference = ObjectReference(kind: .pod, namespace: old.metadata.namespace, name: old.metadata.name)
        return [.delete(reference, uid: old.metadata.uid), .upsert(.pod(pod(number)))]
    }

    // MARK: Objects

    private func pod(_ number: Int) -> Pod {
        let controller = number / Self.replicas
        let life = lives[number]
        // One of ten controllers is a StatefulSet, whose pods each have labels of their own.
        let isStateful = controller % 10 == 0
        let prefix = Self.controllerName(controller)
        let name = isStateful ? "\(prefix)-\(number % Self.replicas)" : "\(prefix)-\(Self.suffix(number, life))"
        var labels = [
            Label(key: "app.kubernetes.io/component", value: "backend"),
            Label(key: "app.kubernetes.io/instance", value: prefix),
            Label(key: "app.kubernetes.io/managed-by", value: "Helm"),
            Label(key: "app.kubernetes.io/name", value: "service-\(controller % 400)"),
            Label(key: "app.kubernetes.io/part-of", value: "platform-\(controller % 40)"),
            Label(key: "helm.sh/chart", value: "service-\(controller % 400)-1.\(controller % 7).3"),
        ]
        if isStateful {
            labels.append(Label(key: "apps.kubernetes.io/pod-index", value: "\(number % Self.replicas)"))
            labels.append(Label(key: "statefulset.kubernetes.io/pod-name", value: name))
        } else {
            labels.append(Label(key: "pod-template-hash", value: Self.suffix(controller, 0)))
        }
        labels.append(Label(key: "topology.kubernetes.io/zone", value: "eu-central-1\(["a", "b", "c"][number % 3])"))
        return Pod(
            metadata: ObjectMetadata(
                name: name,
                namespace: Self.namespace(controller),
                uid: Self.uid(number, life),
                generateName: "\(prefix)-",
                labels: labels
            ),
            addresses: [currentAddress(number)],
            node: Self.node(number % 1_000),
            serviceAccount: "service-\(controller % 400)",
            namedPorts: [NamedPort(name: "http", port: 8_080), NamedPort(name: "metrics", port: 9_090)]
        )
    }

    private static func service(_ number: Int) -> Service {
        Service(
            metadata: ObjectMetadata(
                name: "\(controllerName(number / 2))-\(number % 2)",
                namespace: namespace(number / 2),
                uid: uid(number, 1 << 30)
            ),
            addresses: [serviceAddress(number)],
            ports: [
                Service.Port(name: "http", port: 80, nodePort: number % 10 == 0 ? UInt16(30_000 + number / 10) : nil),
                Service.Port(name: "metrics", port: 9_090),
            ]
        )
    }

    /// Two services have the same pods, like a headless service and another one of a StatefulSet.
    private static func slice(_ number: Int) -> ServiceEndpoints {
        let first = number / 2 * replicas
        return ServiceEndpoints(
            kind: .endpointSlice,
            metadata: ObjectMetadata(
                name: "\(controllerName(number / 2))-\(number % 2)-\(suffix(number, 7))",
                namespace: namespace(number / 2),
                uid: uid(number, 2 << 30)
            ),
            service: "\(controllerName(number / 2))-\(number % 2)",
            groups: [
                .init(
                    addresses: (first..<first + replicas).map(podAddress),
                    ports: [NamedPort(name: "http", port: 8_080), NamedPort(name: "metrics", port: 9_090)]
                )
            ]
        )
    }

    /// A network set with ten prefixes; one of three is in no namespace.
    private static func networkSet(_ number: Int) -> NetworkSet {
        let nets = (0..<prefixes / 500).compactMap { index in
            let bits = 12 + index * 2
            return IPPrefix(IPAddress(ipv4: 0xb900_0000 + UInt32(number) << 15 + UInt32(index) << 7), length: bits)
        }
        return NetworkSet(
            metadata: ObjectMetadata(
                name: "partner-network-\(number)",
                namespace: number % 3 == 0 ? nil : namespace(number),
                uid: uid(number, 3 << 30),
                labels: [Label(key: "partner", value: "\(number)"), Label(key: "trust", value: "low")]
            ),
            nets: nets
        )
    }

    private static func controllerName(_ number: Int) -> String {
        "team-\(number % 97)-microservice-\(number)-deployment-\(suffix(number, 3))"
    }

    private static func namespace(_ number: Int) -> String { "production-namespace-\(number % 500)" }

    private static func uid(_ number: Int, _ life: UInt32) -> String {
        let digits = String(UInt64(number) << 32 | UInt64(life), radix: 16)
        let padded = String(repeating: "0", count: 16 - min(16, digits.count)) + digits
        return "\(padded.prefix(8))-\(padded.suffix(8).prefix(4))-4000-8000-\(padded.suffix(12))"
    }

    /// Five characters, as in the names that a controller gives its pods.
    private static func suffix(_ number: Int, _ life: UInt32) -> String {
        var generator = SplitMix(state: UInt64(number) << 32 | UInt64(life))
        let letters = Array("bcdfghjklmnpqrstvwxz2456789".utf8)
        return String(
            decoding: (0..<5).map { _ in letters[Int(generator.next() % UInt64(letters.count))] },
            as: UTF8.self
        )
    }
}

/// Random numbers that are the same in each run (SplitMix64).
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}

// MARK: - Memory and results

/// The CPU time of this thread for a body, ns, without other processes.
private func processorTime(_ work: () -> Void) -> Double {
    func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }
    let start = now()
    work()
    return now() - start
}

/// The memory of this process.
private enum Memory {
    /// The resident memory, MiB, from /proc/self/statm (proc(5)); 0 if that cannot be read.
    static var resident: Double {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var text = [UInt8](repeating: 0, count: 128)
        let count = fread(&text, 1, text.count, file)
        let fields = text.prefix(count).split(separator: UInt8(ascii: " "))
        guard fields.count > 1, let pages = Int(String(decoding: fields[1], as: UTF8.self)) else { return 0 }
        return Double(pages * sysconf(Int32(_SC_PAGESIZE))) / 1_048_576
    }
}

extension Measurement {
    /// A value without a baseline, with a remark.
    fileprivate static func alone(_ benchmark: String, unit: String, value: Double, against: String) -> Measurement {
        Measurement(benchmark, unit: unit, value: value, baseline: 0, against: against)
    }

    /// Times of many lookups as ns for one.
    fileprivate static func perItem(
        _ benchmark: String,
        _ value: Double,
        _ baseline: Double,
        _ count: Int,
        against: String
    ) -> Measurement {
        Measurement(
            benchmark,
            unit: "ns",
            value: value / Double(count),
            baseline: baseline / Double(count),
            against: against
        )
    }
}
