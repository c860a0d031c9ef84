import ClusterModel
import FlowModel

/// Tests coverage between lists of address ranges, for each range separately.
enum RangeCover {
    /// Whether each of the other ranges lies within one of the ranges.
    static func covers(_ ranges: [IPPrefix], _ others: [IPPrefix]) -> Bool {
        // Fast path: the first range is usually not covered.
        guard let first = others.first,
            ranges.contains(where: { $0.length <= first.length && $0.contains(first.address) })
        else { return others.isEmpty }
        let ranges = Set(ranges)
        return others.allSatisfy { range in
            let length = range.isIPv4 ? Int(range.length) - 96 : Int(range.length)
            return (0...length).contains { IPPrefix(range.address, length: $0).map(ranges.contains) ?? false }
        }
    }
}

/// Tests coverage between lists of ports.
struct PortCover {
    /// Ascending disjoint ranges that are not adjacent.
    private var ranges: [ClosedRange<UInt16>] = []
    private var names: Set<String> = []

    init(_ ports: [PortMatch]) {
        var numbers: [ClosedRange<UInt16>] = []
        for port in ports {
            switch port {
            case .range(let range): numbers.append(range)
            case .name(let name): names.insert(name)
            case .unreadable: break
            }
        }
        for range in numbers.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = ranges.last, Int(range.lowerBound) <= Int(last.upperBound) + 1 {
                ranges[ranges.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                ranges.append(range)
            }
        }
    }

    /// Whether all given ports are covered; a named port is covered by the same name, or if every number is covered.
    func covers(_ others: [PortMatch]) -> Bool {
        others.allSatisfy { port in
            switch port {
            case .range(let range): has(range)
            case .name(let name): names.contains(name) || has(0 ... .max)
            case .unreadable: true
            }
        }
    }

    private func has(_ range: ClosedRange<UInt16>) -> Bool {
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < range.lowerBound { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].contains(range.lowerBound) && ranges[low].contains(range.upperBound)
    }
}
