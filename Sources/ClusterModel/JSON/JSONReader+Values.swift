extension JSONReader {
    /// Reads a string without a copy; skips a value of another type and returns nil.
    @_lifetime(copy self)
    package mutating func text() throws(JSONError) -> JSONText? {
        guard peek() == UInt8(ascii: "\"") else {
            try skipMismatch("expected a string")
            return nil
        }
        return try readText()
    }

    /// Reads a string; skips a value of another type and returns nil.
    package mutating func string() throws(JSONError) -> String? {
        guard let text = try text() else { return nil }
        return text.string
    }

    /// Reads a string; nil also for an empty one, which means an absent one in Kubernetes objects.
    mutating func nonEmptyString() throws(JSONError) -> String? {
        guard let text = try text() else { return nil }
        return text.nonEmptyString
    }

    /// Reads the strings of an array; null elements are empty strings, as in API servers.
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

    /// Reads a Boolean; skips a value of another type and returns nil.
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

    /// Skips a null and returns true; returns false before any other value.
    package mutating func readNull() throws(JSONError) -> Bool {
        guard peek() == UInt8(ascii: "n") else { return false }
        try skip()
        return true
    }

    /// Whether the next value is a string.
    package var isAtString: Bool {
        mutating get { peek() == UInt8(ascii: "\"") }
    }

    /// Whether the next value is a number.
    package var isAtNumber: Bool {
        mutating get {
            let byte = peek()
            return byte == UInt8(ascii: "-") || Self.isDigit(byte)
        }
    }

    /// Reads a whole number, which may have a fraction of zeros or an exponent; nil for other values.
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

    /// Reads a number; nil for other values.
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

    /// Reads a number: its value, and its integer value if it is written as an integer and fits.
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
