/// Counts services for which no source has EndpointSlices or Endpoints objects.
///
/// In a cluster every service with a selector has EndpointSlices, even if they are empty; files may omit them.
struct ServiceCoverage: Sendable {
    private struct Count {
        /// Services of this name that have an address, one for each source.
        var services: Int32 = 0
        /// EndpointSlices and Endpoints objects of the service.
        var slices: Int32 = 0

        var isUncovered: Bool { services > 0 && slices == 0 }
    }

    /// The counts by a seeded hash of namespace and name; collisions, once in 2⁶⁴, are negligible.
    private var counts: [Int: Count] = [:]
    /// The number of services without backends from any source.
    private(set) var uncovered = 0

    /// Adds to the numbers of services and slices of a name; negative values subtract.
    mutating func change(_ service: ObjectName, services: Int32 = 0, slices: Int32 = 0) {
        guard services != 0 || slices != 0 else { return }
        let key = service.hashValue
        let old = counts[key] ?? Count()
        let new = Count(services: old.services + services, slices: old.slices + slices)
        uncovered += (new.isUncovered ? 1 : 0) - (old.isUncovered ? 1 : 0)
        counts[key] = new.services == 0 && new.slices == 0 ? nil : new
    }
}
