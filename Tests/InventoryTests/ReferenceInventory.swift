import ClusterModel
import FlowModel

/// A reference for the inventory, which works the slow way: flat lists of statements, searched from end to end.
struct ReferenceInventory {
    /// An object of one source; with another uid it is another incarnation.
    struct Incarnation: Hashable {
        var source: SourceID
        var reference: ObjectReference
        var number: Int
    }

    /// One claim of an object.
    struct Statement {
        enum Subject: Hashable {
            case owns(IPAddress)
            case contains(IPPrefix)
            case isCalled(IPAddress, UInt16, IPProtocol)
            case isCalledAtNodes(UInt16, IPProtocol)
            case answers(IPAddress, UInt16, IPProtocol)
            case hasAddress(IPAddress)
            case givesPods(IPPrefix)
        }

        var subject: Subject
        var by: Incarnation
        var order: Int
        /// The text that records show.
        var shown: String
        var namespace: String?
        /// The time of the creation or of the start, if later.
        var age = 0
        var isLeaving = false
        var isLocal = false
        /// Whether it has ended, and is kept only because no other object owns the address.
        var isKept = false
    }

    private struct StoredObject {
        var incarnation: Incarnation
        var uid: String?
        var object: ClusterObject
        var isToldInReplace = true
    }

    private struct Kept {
        var statement: Statement
        var until: Int64
    }

    private static let alsoUsual = ["100.64.0.0/10", "fc00::/7"].compactMap(net)

    let hostName: String
    var own: Set<IPAddress> = []
    private var objects: [StoredObject] = []
    private var statements: [Statement] = [] {
        didSet { bySubject = nil }
    }
    /// The statements by subject, valid until the next change.
    private var bySubject: [Statement.Subject: [Statement]]?
    private var kept: [Kept] = []
    private var counter = 0
    private var replacing: Set<String> = []

    init(hostName: String) { self.hostName = hostName }

    // MARK: Changes

    mutating func apply(_ change: ClusterChange, from source: SourceID, at now: Int64) {
        switch change {
        case .upsert(let object): upsert(object, source, now)
        case .delete(let reference, let uid):
            guard let index = index(reference, source) else { return }
            if let uid, let known = objects[index].uid, uid != known { return }
            remove(index, now)
        case .beginReplace(let kind):
            replacing.insert("\(kind) \(source)")
            for index in objects.indices where isOf(objects[index], kind, source) {
                objects[index].isToldInReplace = false
            }
        case .endReplace(let kind):
            guard replacing.remove("\(kind) \(source)") != nil else { return }
            let gone = objects.filter { isOf($0, kind, source) && !$0.isToldInReplace }.map(\.incarnation)
            // Of several objects that are removed at once, the owner is kept.
            let losing = statements.filter { statement in
                guard case .owns(let address) = statement.subject, gone.contains(statement.by) else { return false }
                return owner(address)?.by != statement.by
            }
            end(losing, keeping: false, now)
            for incarnation in gone {
                if let index = objects.firstIndex(where: { $0.incarnation == incarnation }) { remove(index, now) }
            }
        case .forget(let kind):
            apply(.beginReplace(kind), from: source, at: now)
            apply(.endReplace(kind), from: source, at: now)
        }
    }

    mutating func expire(at now: Int64) {
        kept.removeAll { $0.until <= now }
    }

    private func isOf(_ told: StoredObject, _ kind: ObjectKind, _ source: SourceID) -> Bool {
        told.incarnation.reference.kind == kind && told.incarnation.source == source
    }

    private func index(_ reference: ObjectReference, _ source: SourceID) -> Int? {
        objects.firstIndex { $0.incarnation.reference == reference && $0.incarnation.source == source }
    }

    private mutating func upsert(_ object: ClusterObject, _ source: SourceID, _ now: Int64) {
        let (kind, metadata) = object.named
        let reference = ObjectReference(kind: kind, namespace: metadata.namespace, name: metadata.name)
        if let known = index(reference, source) {
            if let uid = metadata.uid, let earlier = objects[known].uid, uid != earlier { remove(known, now) }
        }
        if let known = index(reference, source) {
            let before = statements(of: objects[known].incarnation)
            if objects[known].object.isEnded, !object.isEnded {
                // A pod does not become live again after its end: this is another pod.
                counter += 1
                objects[known].incarnation.number = counter
            }
            objects[known].object = object
            objects[known].uid = metadata.uid ?? objects[known].uid
            objects[known].isToldInReplace = true
            update(objects[known], before: before, now)
        } else {
            counter += 1
            let incarnation = Incarnation(source: source, reference: reference, number: counter)
            let told = StoredObject(incarnation: incarnation, uid: metadata.uid, object: object)
            objects.append(told)
            update(told, before: [], now)
        }
    }

    private mutating func remove(_ index: Int, _ now: Int64) {
        let told = objects[index]
        // Ended statements keep their last texts.
        end(statements(of: told.incarnation), keeping: true, now)
        objects.remove(at: index)
    }

    /// Returns the claims of an object as it is shown now.
    private func statements(of incarnation: Incarnation) -> [Statement] {
        statements.filter { $0.by == incarnation }.map(current)
    }

    /// Replaces the statements of an object with its present ones.
    private mutating func update(_ told: StoredObject, before old: [Statement], _ now: Int64) {
        let new = told.object.statements(by: told.incarnation, hostName)
        end(old.filter { one in !new.contains { $0.subject == one.subject } }, keeping: true, now)
        for var statement in new {
            if let index = statements.firstIndex(where: { $0.by == told.incarnation && $0.subject == statement.subject }
            ) {
                statement.order = statements[index].order
                statements[index] = statement
                continue
            }
            counter += 1
            statement.order = counter
            statements.append(statement)
            if case .owns(let address) = statement.subject { forget(address) }
        }
    }

    private mutating func end(_ ended: [Statement], keeping: Bool, _ now: Int64) {
        for statement in ended {
            statements.removeAll { $0.by == statement.by && $0.subject == statement.subject }
            guard keeping, case .owns(let address) = statement.subject else { continue }
            let isClaimed = own.contains(address) || statements.contains { $0.subject == statement.subject }
            if isClaimed { continue }
            var statement = statement
            statement.isKept = true
            kept.append(Kept(statement: statement, until: now + 10_000_000_000))
        }
    }

    private mutating func forget(_ address: IPAddress) {
        kept.removeAll { $0.statement.subject == .owns(address) }
    }

    mutating func replaceOwn(_ addresses: Set<IPAddress>) {
        for address in addresses where !own.contains(address) { forget(address) }
        own = addresses
    }

    // MARK: Queries

    /// Indexes the statements for the following queries.
    mutating func prepare() {
        bySubject = Dictionary(grouping: statements, by: \.subject)
    }

    private func about(_ subject: Statement.Subject) -> [Statement] {
        if let bySubject { return bySubject[subject] ?? [] }
        return statements.filter { $0.subject == subject }
    }

    /// The host's own endpoint as text: with the labels of the Node of its name of the first source.
    private var host: String {
        let node = objects.filter {
            $0.incarnation.reference.kind == .node && $0.incarnation.reference.name == hostName
        }
        .min { $0.incarnation.source.rawValue < $1.incarnation.source.rawValue }
        guard let node else { return "hep \(hostName) \(hostName)" }
        return "hep \(hostName) \(hostName) [\(node.object.shownLabels)]"
    }

    /// Returns a statement with its present text, which for this host's Node is that of the host.
    private func current(_ statement: Statement) -> Statement {
        var statement = statement
        if statement.by.reference.kind == .node, statement.by.reference.name == hostName { statement.shown = host }
        return statement
    }

    /// Returns the owner of an address: as text, its namespace, its kind, and whether it runs on this host.
    func owner(_ address: IPAddress) -> Statement? {
        let claims = about(.owns(address))
        let newest = { (kinds: Set<ObjectKind>) in
            claims.filter { kinds.contains($0.by.reference.kind) }.max { $0.isOlder(than: $1) }.map(current)
        }
        if own.contains(address) {
            if let hostEndpoint = newest([.hostEndpoint]) { return hostEndpoint }
            // The host has no object.
            let nobody = ObjectReference(kind: .node, namespace: nil, name: "this host")
            let by = Incarnation(source: SourceID(rawValue: 0), reference: nobody, number: 0)
            return Statement(subject: .owns(address), by: by, order: 0, shown: host, namespace: nil)
        }
        return newest([.pod, .hostEndpoint]) ?? newest([.node])
            ?? kept.first { $0.statement.subject == .owns(address) }?.statement
    }

    /// Returns the set that contains an address, and its namespace.
    func networkSet(_ address: IPAddress, preferring namespace: String?) -> Statement? {
        let candidates = statements.compactMap { statement -> (statement: Statement, length: UInt8, category: Int)? in
            guard case .contains(let prefix) = statement.subject, prefix.contains(address) else { return nil }
            let category = statement.namespace == nil ? 1 : statement.namespace == namespace ? 0 : 2
            return (statement, prefix.length, category)
        }
        return candidates.min { left, right in
            if left.category != right.category { return left.category < right.category }
            if left.length != right.length { return left.length > right.length }
            let (leftKey, rightKey) = (left.statement.by.reference.key, right.statement.by.reference.key)
            if leftKey != rightKey { return leftKey < rightKey }
            return left.statement.by.source.rawValue < right.statement.by.source.rawValue
        }?.statement
    }

    func endpoint(_ address: IPAddress, preferring namespace: String?) -> (text: String, namespace: String?) {
        if let found = owner(address) ?? networkSet(address, preferring: namespace) {
            return (found.shown, found.namespace)
        }
        return (address.isRFC1918 ? "net - pvt" : "net - pub", nil)
    }

    func endpoints(_ source: IPAddress, _ destination: IPAddress) -> (String, String) {
        let first = endpoint(source, preferring: owner(destination)?.namespace)
        return (first.text, endpoint(destination, preferring: first.namespace).text)
    }

    func service(_ address: IPAddress, _ port: UInt16, _ proto: IPProtocol) -> String? {
        var claims = about(.isCalled(address, port, proto))
        if claims.isEmpty, let owner = owner(address), owner.shown.hasPrefix("hep") {
            claims = about(.isCalledAtNodes(port, proto))
        }
        guard let first = claims.min(by: { $0.by.source.rawValue < $1.by.source.rawValue }) else { return nil }
        guard Set(claims.map(\.by.reference)).count > 1 else { return first.shown }
        let names = Set(claims.map { String($0.shown.split(separator: " ")[1]) })
        return "*/* \(names.count == 1 ? names.first ?? "" : "*") \(port)"
    }

    func isBackend(_ address: IPAddress, _ port: UInt16, _ proto: IPProtocol) -> Bool {
        !about(.answers(address, port, proto)).isEmpty
    }

    func mayBecomeKnown(_ address: IPAddress) -> Bool {
        guard owner(address) == nil else { return false }
        let isUsual = address.isRFC1918 || Self.alsoUsual.contains { $0.contains(address) }
        var isInRange = false
        for statement in statements {
            if case .hasAddress(address) = statement.subject { return false }
            if case .givesPods(let range) = statement.subject, range.contains(address) { isInRange = true }
        }
        return isUsual || isInRange
    }

    var keptCount: Int { kept.count }
}

extension ReferenceInventory.Statement {
    /// Whether another object that claims the same address is newer, by the objects' own fields.
    fileprivate func isOlder(than other: Self) -> Bool {
        let key = { (one: Self) in
            (one.isLeaving ? 0 : 1, one.age, one.by.reference.namespace ?? "", one.by.reference.name)
        }
        let (left, right) = (key(self), key(other))
        if left != right { return left < right }
        if by.reference.kind != other.by.reference.kind { return by.reference.kind == .pod }
        return by.source.rawValue > other.by.source.rawValue
    }
}

// MARK: - Statements of objects

extension ObjectReference {
    fileprivate var key: String { namespace.map { "\($0)/\(name)" } ?? name }
}

extension IPAddress {
    private static let rfc1918 = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].compactMap(net)

    fileprivate var isRFC1918: Bool {
        Self.rfc1918.contains { $0.contains(self) }
    }
}

extension ClusterObject {
    fileprivate typealias Statement = ReferenceInventory.Statement

    private var started: Int64? {
        if case .pod(let pod) = self { pod.started } else { nil }
    }

    private var hasReleasedNetwork: Bool {
        if case .pod(let pod) = self { pod.hasReleasedNetwork } else { false }
    }

    fileprivate var named: (ObjectKind, ObjectMetadata) {
        switch self {
        case .pod(let pod): (.pod, pod.metadata)
        case .node(let node): (.node, node.metadata)
        case .service(let service): (.service, service.metadata)
        case .serviceEndpoints(let endpoints): (endpoints.kind, endpoints.metadata)
        case .networkSet(let set): (set.metadata.namespace == nil ? .globalNetworkSet : .networkSet, set.metadata)
        case .hostEndpoint(let endpoint): (.hostEndpoint, endpoint.metadata)
        default: (.namespace, ObjectMetadata(name: ""))
        }
    }

    fileprivate var isEnded: Bool {
        if case .pod(let pod) = self { pod.phase == .ended } else { false }
    }

    fileprivate var shownLabels: String {
        named.1.labels.filter { !$0.key.hasPrefix("projectcalico.org/") }.map { "\($0.key)=\($0.value)" }.sorted()
            .joined(separator: ",")
    }

    fileprivate func statements(by: ReferenceInventory.Incarnation, _ hostName: String) -> [Statement] {
        func statement(_ subject: Statement.Subject, _ shown: String = "", isLocal: Bool = false) -> Statement {
            var statement = Statement(subject: subject, by: by, order: 0, shown: shown, isLocal: isLocal)
            statement.namespace = named.1.namespace
            statement.age = Int(max(named.1.created ?? 0, started ?? 0))
            statement.isLeaving = named.1.isDeleting || hasReleasedNetwork
            return statement
        }
        let name = named.1.name
        let all: [Statement]
        switch self {
        case .pod(let pod):
            guard !pod.usesHostNetwork, pod.phase == .live else { return [] }
            let aggregated = pod.metadata.generateName.map { $0 + "*" } ?? name
            let shown = "wep \(pod.metadata.namespace ?? "")/\(name) \(aggregated) [\(shownLabels)]"
            all = pod.addresses.map { statement(.owns($0), shown, isLocal: pod.node == hostName) }
        case .node(let node):
            all =
                node.addresses.map { statement(.owns($0), "hep \(name) \(name) [\(shownLabels)]") }
                + node.podRanges.map { statement(.givesPods($0)) }
        case .hostEndpoint(let endpoint):
            all = endpoint.addresses.map { statement(.owns($0), "hep \(name) \(endpoint.node) [\(shownLabels)]") }
        case .networkSet(let set):
            let place = set.metadata.namespace.map { "\($0)/" } ?? ""
            all = set.nets.map { statement(.contains($0), "ns \(place)\(name) \(name) [\(shownLabels)]") }
        case .service(let service):
            let shown = { (port: Service.Port, number: UInt16) in
                "\(service.metadata.namespace ?? "")/\(name) \(port.name ?? "-") \(number)"
            }
            all =
                service.addresses.map { statement(.hasAddress($0)) }
                + service.ports.flatMap { port in
                    service.addresses.map { statement(.isCalled($0, port.port, port.proto), shown(port, port.port)) }
                        + (port.nodePort.map { [statement(.isCalledAtNodes($0, port.proto), shown(port, $0))] } ?? [])
                }
        case .serviceEndpoints(let endpoints):
            guard endpoints.service != nil else { return [] }
            all = endpoints.groups.flatMap { group in
                group.addresses.flatMap { address in
                    group.ports.map { statement(.answers(address, $0.port, $0.proto)) }
                }
            }
        default: all = []
        }
        var seen: Set<Statement.Subject> = []
        return all.filter { seen.insert($0.subject).inserted }
    }
}
