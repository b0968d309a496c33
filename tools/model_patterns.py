"""Translates the API's regular expressions (Java's meaning) for src/wire/pattern.h: into ICU's syntax, and where a pattern
is a row of character classes, into the elements of the ASCII automaton."""

import unicodedata

ELEMENTS_MAX = 63
WORD = [(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)]
DIGIT = [(0x30, 0x39)]
# Java's \s, which is ASCII only.
SPACE = [(0x09, 0x0D), (0x20, 0x20)]
LINE_ENDS = [(0x0A, 0x0A), (0x0D, 0x0D), (0x85, 0x85), (0x2028, 0x2029)]
ESCAPED = {"t": 0x09, "n": 0x0A, "r": 0x0D, "f": 0x0C}


class Unsupported(ValueError):
    pass


class CharClass:
    def __init__(self, ranges=(), properties=(), negated=False):
        self.ranges, self.properties, self.negated = list(ranges), list(properties), negated

    def has_ascii(self, c):
        inside = (
            any(low <= c <= high for low, high in self.ranges) or unicodedata.category(chr(c))[0] in self.properties
        )
        return inside != self.negated

    def ascii_only(self):
        return not self.negated and not self.properties and all(high < 128 for _, high in self.ranges)

    def bits(self):
        low = sum(1 << c for c in range(64) if self.has_ascii(c))
        high = sum(1 << (c - 64) for c in range(64, 128) if self.has_ascii(c))
        return low, high

    def icu(self):
        ranges = "".join(f"\\u{low:04X}" + (f"-\\u{high:04X}" if high != low else "") for low, high in self.ranges)
        properties = "".join("\\p{" + p + "}" for p in self.properties)
        return "[" + ("^" if self.negated else "") + ranges + properties + "]"


class Reader:
    def __init__(self, text):
        self.text, self.at = text, 0

    def done(self):
        return self.at >= len(self.text)

    def peek(self):
        return self.text[self.at] if not self.done() else ""

    def take(self):
        self.at += 1
        return self.text[self.at - 1]


def read_escape(reader):
    """After a backslash: a code point or a CharClass."""
    c = reader.take()
    if c == "w":
        return CharClass(WORD)
    if c == "d":
        return CharClass(DIGIT)
    if c == "s":
        return CharClass(SPACE)
    if c == "S":
        return CharClass(SPACE, negated=True)
    if c == "p":
        if reader.take() != "{":
            raise Unsupported(r"\p without a brace")
        name = ""
        while reader.peek() != "}":
            name += reader.take()
        reader.take()
        if len(name) != 1:
            raise Unsupported(rf"\p{{{name}}}")
        return CharClass(properties=[name])
    if c in "xu":
        digits = "".join(reader.take() for _ in range(2 if c == "x" else 4))
        return int(digits, 16)
    if c in ESCAPED:
        return ESCAPED[c]
    if c.isalnum():
        raise Unsupported(f"escape \\{c}")
    return ord(c)


def read_class(reader):
    """After the opening bracket."""
    result = CharClass()
    if reader.peek() == "^":
        reader.take()
        result.negated = True
    items = 0
    while reader.peek() != "]":
        c = reader.take()
        if c in "[&":
            raise Unsupported("nested class")
        low = read_escape(reader) if c == "\\" else ord(c)
        items += 1
        if isinstance(low, CharClass):
            if low.negated:
                if items > 1 or reader.peek() != "]" or result.negated:
                    raise Unsupported("a negated class among others")
                result.negated = True
            result.ranges += low.ranges
            result.properties += low.properties
            continue
        high = low
        if reader.peek() == "-" and reader.text[reader.at + 1] not in "]":
            reader.take()
            c = reader.take()
            high = read_escape(reader) if c == "\\" else ord(c)
            if isinstance(high, CharClass):
                raise Unsupported("a range that ends in a class")
        result.ranges.append((low, high))
    reader.take()
    return result


def read_quantifier(reader):
    """(text, least, most or None for any number)."""
    start = reader.at
    if reader.peek() and reader.peek() in "+*?":
        bounds = {"+": (1, None), "*": (0, None), "?": (0, 1)}[reader.take()]
    elif reader.peek() == "{":
        reader.take()
        inside = ""
        while reader.peek() != "}":
            inside += reader.take()
        reader.take()
        low, comma, high = inside.partition(",")
        bounds = (int(low), int(high) if high else None if comma else int(low))
    else:
        return "", 1, 1
    if reader.peek() and reader.peek() in "+?":
        raise Unsupported("possessive or lazy quantifier")
    return reader.text[start : reader.at], *bounds


def translate(pattern):
    """(ICU text, elements or None, ascii_only). An element is (low bits, high bits, optional, repeats)."""
    dot_all = pattern.startswith("(?s)")
    reader = Reader(pattern[4:] if dot_all else pattern)
    icu, elements, ascii_only, is_row = "", [], True, True
    while not reader.done():
        first = reader.at == 0
        c = reader.take()
        if c in "^$":
            # Whole values are matched, so an anchor at either end says nothing.
            is_row = is_row and (first or reader.done())
            icu += c
            continue
        if c in "(|)":
            is_row = False
            icu += c
            if c == "(" and reader.peek() == "?":
                while reader.peek() and reader.peek() in "?:<!=":
                    icu += reader.take()
            elif c == ")":
                icu += read_quantifier(reader)[0]
            continue
        if c == "[":
            char_class = read_class(reader)
        elif c == ".":
            char_class = CharClass([] if dot_all else LINE_ENDS, negated=True)
        else:
            item = read_escape(reader) if c == "\\" else ord(c)
            char_class = item if isinstance(item, CharClass) else CharClass([(item, item)])
        quantifier, least, most = read_quantifier(reader)
        ascii_only = ascii_only and char_class.ascii_only()
        icu += (char_class.icu() if char_class.ranges or char_class.properties else r"[\u0000-\U0010FFFF]") + quantifier
        low, high = char_class.bits()
        elements += [(low, high, False, False)] * least
        if most is None:
            if least == 0:
                elements.append((low, high, True, True))
            else:
                elements[-1] = (low, high, False, True)
        else:
            elements += [(low, high, True, False)] * (most - least)
    if not is_row or len(elements) > ELEMENTS_MAX:
        elements = None
    return icu, elements, ascii_only
