extension JSONReader {
    /// Reads a Status, with a default for its code, and the value of its `kind`; nil if there is none.
    mutating func status(code: Int) throws(JSONError) -> (status: APIStatus, kind: String?) {
        var status = APIStatus(code: code)
        var kind: String?
        guard try enterObject() else { return (status, nil) }
        while let key = try nextKey() {
            switch key {
            case "kind": kind = try string()
            case "code": status.code = try integer() ?? code
            case "reason": status.reason = try string() ?? ""
            case "message": status.message = try string() ?? ""
            case "metadata": status.continueToken = try listMetadata().continueToken
            case "details": (status.retryAfterSeconds, status.causes) = try statusDetails()
            default: try skip()
            }
        }
        return (status, kind)
    }

    private mutating func statusDetails() throws(JSONError) -> (retryAfter: Int?, causes: [APIStatus.Cause]) {
        var retryAfter: Int?
        var causes: [APIStatus.Cause] = []
        guard try enterObject() else { return (nil, []) }
        while let key = try nextKey() {
            switch key {
            case "retryAfterSeconds": retryAfter = try integer().flatMap { $0 > 0 ? $0 : nil }
            case "causes": causes = try statusCauses()
            default: try skip()
            }
        }
        return (retryAfter, causes)
    }

    private mutating func statusCauses() throws(JSONError) -> [APIStatus.Cause] {
        var causes: [APIStatus.Cause] = []
        guard try enterArray() else { return causes }
        while try nextElement() {
            guard try enterObject() else { continue }
            var cause = APIStatus.Cause(reason: "")
            while let key = try nextKey() {
                switch key {
                case "reason": cause.reason = try string() ?? ""
                case "message": cause.message = try string() ?? ""
                case "field": cause.field = try string() ?? ""
                default: try skip()
                }
            }
            causes.append(cause)
        }
        return causes
    }

    /// Reads the metadata of a list (`metadata`).
    mutating func listMetadata() throws(JSONError) -> ListEnd {
        var end = ListEnd()
        guard try enterObject() else { return end }
        while let key = try nextKey() {
            switch key {
            case "resourceVersion": end.resourceVersion = try nonEmptyString()
            case "continue": end.continueToken = try nonEmptyString()
            case "remainingItemCount": end.remainingItemCount = try integer()
            default: try skip()
            }
        }
        return end
    }
}
