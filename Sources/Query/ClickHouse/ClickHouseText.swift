import Filter
import FlowModel
import Records

/// Translates filters, groups and measures into ClickHouse SQL over the columns of `weir schema clickhouse`.
///
/// Columns are qualified as `r.NAME`, because in SQL a bare name can refer to a result column.
enum ClickHouseText {
    /// The text that represents null in results.
    static let null = "\0"
    private static let nullText = "'\\0'"

    // MARK: Texts

    /// A quoted SQL string.
    static func quoted(_ text: String) -> String {
        var result = "'"
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\", "'": result += "\\\(scalar)"
            case "\0": result += "\\0"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "'"
    }

    private static func column(_ field: FlowField) -> String { "r.\(field.description.name)" }

    /// A column of texts; an empty list, as of a record that was inserted without the field, is the field's empty value.
    private static func texts(_ field: FlowField) -> String {
        let (column, unknown) = (column(field), field.unknownTexts)
        if unknown.isEmpty { return column }
        return "if(empty(\(column)), [\(unknown.map(quoted).joined(separator: ", "))], \(column))"
    }

    // MARK: Values

    /// The value of a field as text; ``null`` if it is null.
    static func value(_ field: FlowField) -> String {
        let column = column(field)
        switch field.description.type {
        case .integer: return field == .startTime || field == .endTime ? "toUnixTimestamp(\(column))" : column
        case .string: return "toString(\(column))"
        case .name, .port: return "ifNull(toString(\(column)), \(nullText))"
        case .address: return "ifNull(\(address(column)), \(nullText))"
        case .integers: return "toJSONString(\(column))"
        case .strings: return "toJSONString(\(texts(field)))"
        case .addresses: return "toJSONString(arrayMap(x -> \(address("x")), \(column)))"
        case .labels: return "toJSONString(tupleElement(\(column), 'labels'))"
        case .policies:
            let transit = hits(.transit)
            return
                "concat(toJSONString(\(hits(.enforced))), ',\"pending_policies\":', toJSONString(\(hits(.pending))), "
                + "if(empty(\(transit)), '', concat(',\"transit_policies\":', toJSONString(\(transit)))))"
        }
    }

    /// The address as text; IPv4 addresses are stored in a column for IPv6 addresses.
    private static func address(_ column: String) -> String {
        "replaceRegexpOne(toString(\(column)), '^::ffff:([0-9]+[.])', '\\\\1')"
    }

    /// A list of hits; a table of an earlier version does not have all.
    private static func hits(_ list: FilterHits) -> String {
        let missing = list == .transit ? ", emptyArrayString()" : ""
        return "tupleElement(r.policies, \(quoted(list.rawValue))\(missing))"
    }

    /// The value of a group; ``null`` if it is null.
    static func value(_ name: GroupName) -> String {
        switch name {
        case .field(let field) where name.isList: return "if(empty(\(texts(field))), \(nullText), \(value(field)))"
        case .field(let field): return value(field)
        case .end(let end):
            let namespace = "ifNull(toString(\(column(end.namespace))), '-')"
            let prefix = "if(\(namespace) IN ('-', ''), '', concat(\(namespace), '/'))"
            return "concat(\(prefix), ifNull(toString(\(column(end.aggregatedName))), '-'))"
        case .rule(let isPending):
            let deciding = "if(r.reporter = '\(FlowReporter.forward.rawValue)', \(hits(.transit)), \(hits(.enforced)))"
            let list = isPending ? hits(.pending) : deciding
            return "if(empty(\(list)), \(nullText), toString(\(list)[-1]))"
        case .pendingAction:
            let action = "splitByChar('|', toString(\(hits(.pending))[-1]))[4]"
            return "if(\(action) IN ('allow', 'deny'), \(action), \(nullText))"
        case .port:
            return "if(isNull(r.dest_port) OR r.proto = '\(IPProtocol.icmp.name)', toString(r.proto), "
                + "concat(if(r.proto = '\(IPProtocol.icmp6.name)', \(message), toString(\(port))), '/', toString(r.proto)))"
        }
    }

    /// Reads the value of a group in a row; nil if it is null.
    static func read(_ value: String, _ name: GroupName) -> String? {
        if value == null { return nil }
        // The server escapes more characters of a list than other stores.
        return name.isList ? GroupName.list(name.texts(value)) : value
    }

    private static let port = "assumeNotNull(r.dest_port)"

    /// The name of an ICMPv6 message, in the form of ``PortName``.
    private static let message: String = {
        let known = PortName.messages.map { "\(port) = \($0.port), \(quoted($0.name)), " }.joined()
        let code = "if(\(port) % 256 = 0, '', concat(' code ', toString(\(port) % 256)))"
        return "multiIf(\(known)concat('type ', toString(intDiv(\(port), 256)), \(code)))"
    }()

    /// The sum of a measure.
    static func sum(_ measure: Measure) -> String {
        let isWanted: String? =
            switch measure.action {
            case nil: nil
            case .deny: "r.action = 'deny'"
            case .allow: "r.action != 'deny'"
            }
        let columns = measure.fields.map(column).joined(separator: " + ")
        if columns.isEmpty { return isWanted.map { "countIf(\($0))" } ?? "count()" }
        return isWanted.map { "sumIf(\(columns), \($0))" } ?? "sum(\(columns))"
    }

    // MARK: Filters

    /// The condition that a record is in a range of time and matches a filter.
    static func condition(since: Int64, until: Int64, _ filter: Filter) -> String {
        let last = Int64(UInt32.max)
        let range =
            "r.end_time > toDateTime(\(min(max(0, since), last)), 'UTC') AND "
            + "r.end_time <= toDateTime(\(min(max(0, until), last)), 'UTC')"
        return "\(range) AND \(condition(filter.expression))"
    }

    private static func condition(_ expression: FilterExpression) -> String {
        switch expression {
        case .all: return "1"
        case .not(let inner): return "NOT \(condition(inner))"
        case .and(let parts): return "(\(parts.map(condition).joined(separator: " AND ")))"
        case .or(let parts): return "(\(parts.map(condition).joined(separator: " OR ")))"
        case .test(.label(let field, let key), let question):
            let list = "tupleElement(\(column(field)), 'labels')"
            return label(list, key, question)
        case .test(.hits(let hits), let question): return any(self.hits(hits), question)
        case .test(.field(let field), let question): return test(field, question)
        }
    }

    private static func test(_ field: FlowField, _ question: FilterCondition) -> String {
        let column = column(field)
        switch field.description.type {
        case .integers: return any(column, question)
        case .strings: return any(texts(field), question)
        case .labels: return any("tupleElement(\(column), 'labels')", question)
        case .policies:
            return "(\(FilterHits.allCases.map { any(hits($0), question) }.joined(separator: " OR ")))"
        case .addresses:
            if case .present = question { return "notEmpty(\(column))" }
            return "arrayExists(x -> \(holds("x", question, isAddress: true)), \(column))"
        case .address: return "ifNull(\(holds(column, question, isAddress: true)), 0)"
        case .string where field == .reporter:
            // Calico Enterprise joins several reporters, as in `dst,fwd`.
            return any("splitByChar(',', replaceAll(toString(\(column)), ' ', ''))", question)
        case .integer where field == .startTime || field == .endTime:
            return holds("toUnixTimestamp(\(column))", question, isAddress: false)
        case .integer, .port, .string, .name: return "ifNull(\(holds(column, question, isAddress: false)), 0)"
        }
    }

    private static func any(_ list: String, _ question: FilterCondition) -> String {
        "arrayExists(x -> \(holds("x", question, isAddress: false)), \(list))"
    }

    private static func label(_ list: String, _ key: String, _ question: FilterCondition) -> String {
        let head = quoted("\(key)=")
        let value = "substring(toString(x), \(key.utf8.count + 2))"
        let test: String
        if case .present = question { test = "1" } else { test = holds(value, question, isAddress: false) }
        return "arrayExists(x -> startsWith(toString(x), \(head)) AND \(test), \(list))"
    }

    private static func holds(_ value: String, _ question: FilterCondition, isAddress: Bool) -> String {
        let text = isAddress ? address(value) : "toString(\(value))"
        switch question {
        case .present: return isAddress ? "isNotNull(\(value))" : "\(text) NOT IN ('-')"
        case .equals(let texts): return "\(text) IN (\(texts.map(quoted).joined(separator: ", ")))"
        case .contains(let part): return part.isEmpty ? "isNotNull(\(value))" : "position(\(text), \(quoted(part))) > 0"
        case .startsWith(let part): return "startsWith(\(text), \(quoted(part)))"
        case .endsWith(let part): return "endsWith(\(text), \(quoted(part)))"
        case .numbers(let ranges):
            let tests = ranges.map { "(\(value) >= \($0.lowerBound) AND \(value) <= \($0.upperBound))" }
            return "(\(tests.joined(separator: " OR ")))"
        case .addresses(let prefixes):
            let tests = prefixes.map { "isIPAddressInRange(\(text), \(quoted($0.description)))" }
            return "(\(tests.joined(separator: " OR ")))"
        }
    }
}
