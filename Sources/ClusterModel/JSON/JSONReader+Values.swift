extension JSONReader {
    /// A string as it stands in the text; nil if the value is none, and has been passed over.
    @_lifetime(copy self)
    package mutating func text() throws(JSONError) -> JSONText? {
        guard peek() == UInt8(ascii: "\"") else {
            try skipMismatch("expected a string")
            return nil
        }
        return try readText()
    }

    /// A string; nil if the value is none.
    package mutating func string() throws(JSONError) -> String? {
        guard let text = try text() else { return nil }
        return text.string
    }

    /// A string; nil if the value is none, or empty, which in Kubernetes' objects is the same as not there.
    mutating func nonEmptyString() throws(JSONError) -> String? {
        guard let text = try text() else { return nil }
        return text.nonEmptyString
    }

    /// The strings of an array, null as an empty one, as API servers read it; none if the value is none.
    package mutating func strings() throws(JSONError) -> [String] {
        guard try enterArray() else { return [] }
        var strings: [String] = []
        while try nextElement() {
            if try readNull() {
                strings.append("")
            } else if let string = try string() {
                strings.append(string)
            }
        }
        return strings
    }

    /// A truth value; nil if the value is none.
    mutating func bool() throws(JSONError) -> Bool? {
        switch peek() {
        case UInt8(ascii: "t"):
            try skip()
            return true
        case UInt8(ascii: "f"):
            try skip()
            return false
        default:
            try skipMismatch("expected true or false")
            return nil
        }
    }

    /// Whether the value is null, which is then read.
    package mutating func readNull() throws(JSONError) -> Bool {
        guard peek() == UInt8(ascii: "n") else { return false }
        try skip()
        return true
    }

    /// Whether a string comes next.
    package var isAtString: Bool {
        mutating get { peek() == UInt8(ascii: "\"") }
    }

    /// Whether a number comes next.
    package var isAtNumber: Bool {
        mutating get {
            let byte = peek()
            return byte == UInt8(ascii: "-") || Self.isDigit(byte)
        }
    }

    /// A whole number, also if it is written with a fraction of zeros or an exponent; nil if the value is none.
    package mutating func integer() throws(JSONError) -> Int? {
        let start = offset
        guard let number = try number() else { return nil }
        guard let integer = number.integer ?? Int(exactly: number.value) else {
            if isStrict { throw .unusable("expected a whole number", at: start) }
            note("expected a whole number", at: start)
            return nil
        }
        return integer
    }

    /// A number; nil if the value is none.
    mutating func double() throws(JSONError) -> Double? {
        let start = offset
        guard let number = try number() else { return nil }
        guard number.value.isFinite else {
            if isStrict { throw .unusable("the number is too large", at: start) }
            note("the number is too large", at: start)
            return nil
        }
        return number.value
    }

    /// A number: its value, and the same as a whole number if it is written as one and fits.
    private mutating func number() throws(JSONError) -> (value: Double, integer: Int?)? {
        guard isAtNumber else {
            try skipMismatch("expected a number")
            return nil
        }
        let start = offset
        try skipNumber()
        let digits = JSONText(bytes.extracting(start..<offset), hasEscapes: false).string
        if let integer = Int(digits) { return (Double(integer), integer) }
        return (Double(digits) ?? .infinity, nil)
    }
}
