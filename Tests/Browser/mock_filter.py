"""The filter language over dictionaries of fields: as much of it as the page and its tests use."""

import re

TOKEN = re.compile(r'\s*(?:(&&|\|\||==|!=|<=|>=|[!<>(){},])|("(?:[^"]|"")*"|\'(?:[^\']|\'\')*\')|(-?\d+)|([A-Za-z_][A-Za-z0-9_.]*))')
HITS = ("enforced_policies", "pending_policies")
ENDS = {
    "namespace": ("source_namespace", "dest_namespace"),
    "name": ("source_name", "dest_name"),
    "name_aggr": ("source_name_aggr", "dest_name_aggr"),
    "ip": ("source_ip", "dest_ip"),
}


class FilterError(Exception):
    """The offset (in bytes) and the reason of an error in a filter."""

    def __init__(self, offset, length, message):
        super().__init__(message)
        self.offset, self.length, self.message = offset, length, message


class Parser:
    """A parser of recursive descent that makes predicates."""

    def __init__(self, text, fields):
        self.text, self.fields, self.at = text, fields, 0

    def fail(self, message, start=None, length=1):
        start = self.at if start is None else start
        raise FilterError(len(self.text[:start].encode()), length, message)

    def peek(self):
        found = TOKEN.match(self.text, self.at)
        return found.group(found.lastindex) if found else ""

    def take(self):
        found = TOKEN.match(self.text, self.at)
        if not found:
            rest = self.text[self.at :]
            self.fail(
                "unexpected text" if rest.strip() else "the expression ends too early",
                self.at + len(rest) - len(rest.lstrip()),
            )
        self.start, self.at = found.start(found.lastindex), found.end()
        return found.group(found.lastindex)

    def expression(self):
        parts = [self.conjunction()]
        while self.peek() == "||":
            self.take()
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else lambda record: any(part(record) for part in parts)

    def conjunction(self):
        parts = [self.operand()]
        while self.peek() == "&&":
            self.take()
            parts.append(self.operand())
        return parts[0] if len(parts) == 1 else lambda record: all(part(record) for part in parts)

    def operand(self):
        token = self.take()
        if token == "!":
            inner = self.operand()
            return lambda record: not inner(record)
        if token == "(":
            inner = self.expression()
            if self.take() != ")":
                self.fail("expected )", self.start)
            return inner
        return self.test(token)

    def test(self, name):
        if name not in self.fields and name not in ENDS and name not in HITS:
            near = [field for field in sorted(self.fields) if field[:8] == name[:8]]
            hint = f"; did you mean {near[0]}?" if near else ""
            self.fail(f"unknown field '{name}'{hint}", self.start, len(name))
        names = ENDS.get(name, (name,))
        operator = self.take()
        if operator in ("starts", "ends"):
            self.take()
        if operator == "not":
            operator = "not " + self.take()
        if operator.endswith("in"):
            values = self.values()
        else:
            values = [self.value()]
        return self.predicate(names, operator, values)

    def values(self):
        if self.take() != "{":
            self.fail("expected {", self.start)
        values = [self.value()]
        while self.take() == ",":
            values.append(self.value())
        if self.text[self.at - 1] != "}":
            self.fail("expected , or }", self.start)
        return values

    def value(self):
        token = self.take()
        if token[0] in "\"'":
            return token[1:-1].replace(token[0] * 2, token[0])
        if re.fullmatch(r"-?\d+", token):
            return int(token)
        self.fail("expected a value: a text in quotes or a number", self.start, len(token))

    def predicate(self, names, operator, values):
        compare = {
            "==": lambda value: value == values[0],
            "in": lambda value: value in values,
            "contains": lambda value: value is not None and values[0] in str(value),
            "starts": lambda value: value is not None and str(value).startswith(str(values[0])),
            "ends": lambda value: value is not None and str(value).endswith(str(values[0])),
            "<": lambda value: value is not None and value < values[0],
            ">": lambda value: value is not None and value > values[0],
            "<=": lambda value: value is not None and value <= values[0],
            ">=": lambda value: value is not None and value >= values[0],
        }
        if names[0] in HITS:
            holds = compare[operator]
            return lambda record: any(holds(hit) for hit in (record["policies"] or {}).get(names[0], ()))
        if operator in ("!=", "not in"):
            positive = compare["==" if operator == "!=" else "in"]
            return lambda record: not any(positive(record[name]) for name in names)
        if operator not in compare:
            self.fail("expected == or another operator", self.start, len(operator))
        return lambda record: any(compare[operator](record[name]) for name in names)


def compile_filter(text, fields):
    """A predicate for the text of a filter; raises FilterError."""
    if not text.strip():
        return lambda record: True
    parser = Parser(text, fields)
    predicate = parser.expression()
    if parser.text[parser.at :].strip():
        parser.fail("expected && or ||")
    return predicate
