/// Counts services whose backends no source has.
///
/// In a cluster every service with a selector has EndpointSlices, if only empty ones; in files they may be left out.
struct ServiceCoverage: Sendable {
    private struct Count {
        /// Services of the name that have an address: one for each source.
        var services: Int32 = 0
        /// EndpointSlices and Endpoints objects of the service.
        var slices: Int32 = 0

        var isUncovered: Bool { services > 0 && slices == 0 }
    }

    /// By a seeded hash of namespace and name: a mistake once in 2⁶⁴ costs a question.
    private var counts: [Int: Count] = [:]
    /// The number of services that have no backends from any source.
    private(set) var uncovered = 0

    /// Counts more or less services and slices of a name.
    mutating func change(_ service: ObjectName, services: Int32 = 0, slices: Int32 = 0) {
        guard services != 0 || slices != 0 else { return }
        let key = service.hashValue
        let old = counts[key] ?? Count()
        let new = Count(services: old.services + services, slices: old.slices + slices)
        uncovered += (new.isUncovered ? 1 : 0) - (old.isUncovered ? 1 : 0)
        counts[key] = new.services == 0 && new.slices == 0 ? nil : new
    }
}
