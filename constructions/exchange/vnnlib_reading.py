"""VNN-LIB files read as properties, through the public parser of the package vnnlib.

The parser reads VNN-LIB 2.0 into floats. So numbers are taken out first, exactly, and the parser
sees their places in a list; and a file of version 1.0 is said in the words of 2.0, line by line.
Whole, because it is one reader of one text, whose place errors name.
"""

from __future__ import annotations

import gzip
import itertools
import json
import math
import os
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

from .properties import DIGITS, Conjunct, Constraint, Property

SIZE_LIMIT = 2**28
"""Most bytes of a file, unpacked."""

CONJUNCTS = 20_000
"""Most alternatives of a property, multiplied out."""

DEPTH = 100
"""Most parentheses in one another."""

TOKEN = re.compile(r"[()]|\[[^][()]*\]|[^][()\s]+|\s+|.")
WORD = re.compile(
    r"[A-Za-z_]\w*|declare-[a-z]+|vnnlib-version|equal-to|isometric-to|<[0-9]+\.[0-9]+>|[-+*()]|[<>]=?|[=!]=|\"[^\"]*\"|\s+|\[[0-9,\s]*\]"
)
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
CONSTANT = re.compile(r"\(\s*declare-const\s+([XY])_(0|[1-9][0-9]{0,8})\s+Real\s*\)")
VARIABLE = re.compile(r"([XY])_(0|[1-9][0-9]{0,8})")
TENSOR = re.compile(r"(\(\s*declare-(?:input|output)\s+[^][()\s]+\s+)Real\b")

# coefficients of ("x", place) and ("y", place), and of ("", 0), the constant
Form = dict[tuple[str, int], Fraction]
Atom = tuple[Form, bool]  # a form >= 0, or > 0
CONSTANT_TERM = ("", 0)


def read_property(path: str | os.PathLike[str]) -> Property:
    """Read a VNN-LIB file, version 1.0 or 2.x (.vnnlib or .vnnlib.gz); nothing in it is executed.

    Read are boxes, also within `or`, and `and` and `or` of linear comparisons (<=, <, >=, >, ==) of
    inputs and outputs; several bounds of one input are intersected. Numbers, in scientific notation
    too, are taken exactly. In 1.0 variables are X_i and Y_k; in 2.0 there is one network with one
    input and one output of reals or floats, flattened row by row.

    Args:
        path: the file.

    Returns:
        A `Property`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: that names file and line, for anything else: products of variables, !=, several
            networks, hidden nodes, integers, an input without bounds.

    Example:
        >>> from constructions import write_vnnlib
        >>> write_vnnlib("query.vnnlib", ([0.1], [0.25]), -1, version="2.0")
        >>> (part,) = read_property("query.vnnlib").conjuncts
        >>> part.lower[0] == Fraction(0.1), part.upper, part.constraints[0].outputs
        (True, (Fraction(1, 4),), ((0, Fraction(1, 1)),))
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    return _Reader(path).property()


class _Reader:
    """One file as it is read: its numbers, and the sizes of its tensors."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.numbers: list[Fraction] = []
        self.literals: list[str] = []
        self.sides: dict[str, str] = {}  # the names of input and output -> "x", "y"

    def fail(self, rule: str, line: int | None) -> NoReturn:
        raise ValueError(f"{self.path}, {f'line {line}: ' if line else 'end of file: '}{rule}")

    # -- text --------------------------------------------------------------------------------------

    def text(self) -> str:
        with (gzip.open if self.path.suffix == ".gz" else open)(self.path, "rb") as file:
            try:
                data = file.read(SIZE_LIMIT + 1)
            except (OSError, EOFError) as error:
                raise ValueError(f"{self.path} cannot be read: {error}") from error
        if len(data) > SIZE_LIMIT:
            raise ValueError(f"{self.path} must have at most {SIZE_LIMIT:,} bytes")
        try:
            return re.sub(r";[^\n]*", "", data.decode("utf-8").replace("\r\n", "\n"))
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            self.fail(f"must be UTF-8 text, got the byte {data[error.start]:#04x}", line)

    def translated(self) -> str:
        """The file in VNN-LIB 2.0, line by line, each number by its place in `numbers`."""
        text = self.text()
        old = "vnnlib-version" not in text
        head = ""
        if old:
            found: dict[str, list[int]] = {"X": [], "Y": []}
            for name, place in CONSTANT.findall(text):
                found[name].append(int(place))
            for name, places in found.items():
                if sorted(places) != list(range(len(places))) or not places:
                    some = f"{name}_0, {name}_1, ..., without a gap and once each"
                    self.fail(f"{some}, must be declared, got {len(places)} declarations", None)
            head = (
                "(vnnlib-version <2.0>)(declare-network f(declare-input X float64 [{}])"
                "(declare-output Y float64 [{}]))"
            )
            head = head.format(*(len(places) for places in found.values()))
            text = CONSTANT.sub(lambda match: re.sub(r"[^\n]", "", match[0]), text)
        else:
            text = TENSOR.sub(r"\1float64", text)
        return head + "".join(self.tokens(text, old))

    def tokens(self, text: str, old: bool) -> list[str]:
        out, line, depth = [], 1, 0
        for match in TOKEN.finditer(text):
            token = match[0]
            depth += (token == "(") - (token == ")")
            if depth > DEPTH:
                self.fail(f"at most {DEPTH} parentheses may be open", line)
            if depth < 0:
                self.fail("closes a parenthesis that is not open", line)
            if NUMBER.fullmatch(token):
                out.append(f"{len(self.numbers)}.0")
                self.numbers.append(self.number(token, line))
                self.literals.append(token)
            elif old and token[0] == "[":
                self.fail(
                    f"a variable must be named X_0, X_1, ... or Y_0, Y_1, ..., got {token!r}", line
                )
            elif old and (variable := VARIABLE.fullmatch(token)):
                out.append(f"{variable[1]}[{variable[2]}]")
            elif WORD.fullmatch(token):
                out.append(token)
            else:
                self.fail(f"must be a name, a number or a comparison, got {token[:60]!r}", line)
            line += token.count("\n")
        if depth:
            self.fail("a parenthesis is never closed", line)
        return out

    def number(self, literal: str, line: int) -> Fraction:
        power = re.search(r"[eE][-+]?0*([0-9]*)$", literal)
        value = Decimal(
            literal
            if len(literal) <= 2 * DIGITS + 2 and (power is None or len(power[1]) <= 5)
            else "1e9999"
        )
        exponent = value.as_tuple().exponent
        if value.adjusted() >= DIGITS or not isinstance(exponent, int) or -exponent > DIGITS:
            self.fail(
                f"a number must have at most {DIGITS:,} digits before and after the point, got "
                f"{literal[:60]!r}",
                line,
            )
        return Fraction(value)

    # -- meaning -----------------------------------------------------------------------------------

    def property(self) -> Property:
        import vnnlib

        text = self.translated()
        try:
            query = vnnlib.parse_query_string(text)
        except Exception as error:
            self.refuse(error)
        network = self.one("network", query.networks, text)
        given, result = (
            self.one("input", network.inputs, text),
            self.one("output", network.outputs, text),
        )
        if network.hidden or network.equal_to or network.isometric_to:
            self.fail(
                "hidden nodes and relations between networks are not supported",
                _line_of("declare-network", text),
            )
        for tensor, kind in ((given, "input"), (result, "output")):
            if tensor.dtype.name not in ("F16", "F32", "F64", "BF16"):
                where = _line_of(f"declare-{kind}", text)
                self.fail(
                    f"{tensor.name} must hold reals or floats, got {tensor.dtype.name}", where
                )
        self.sides = {given.name: "x", result.name: "y"}
        inputs, outputs = (math.prod(tensor.shape) for tensor in (given, result))
        parts = self.product(
            [self.alternatives(assertion.expr) for assertion in query.assertions], None
        )
        conjuncts = (self.conjunct(part, inputs) for part in parts)
        return Property.of(inputs, outputs, [part for part in conjuncts if part is not None])

    def one(self, what: str, found: Any, text: str) -> Any:
        if len(found) != 1:
            self.fail(
                f"must declare one {what}, got {len(found)}", _line_of(f"declare-{what}", text)
            )
        return found[0]

    def refuse(self, error: Exception) -> NoReturn:
        """The parser's complaint with its line; numbers as the file has them."""
        message, line = str(error), None
        try:
            first = json.loads(message)["errors"][0]
            message, line = (
                f"{first['message']}: {first['offendingSymbol']!r}. {first['hint']}",
                int(first["line"]),
            )
        except (ValueError, KeyError, IndexError, TypeError):
            if found := re.search(r"(.*) at line (\d+), column \d+(.*)", message, re.DOTALL):
                message, line = found[1] + found[3], int(found[2])
        message = re.sub(
            r"'(\d+)\.0'",
            lambda m: repr(self.literals[int(m[1])]) if int(m[1]) < len(self.literals) else m[0],
            message,
        )
        self.fail(message, line)

    def alternatives(self, node: Any) -> list[list[Atom]]:
        """A condition as a union of conjunctions."""
        kind = type(node).__name__
        if kind == "And":
            return self.product([self.alternatives(part) for part in node.args], node)
        if kind == "Or":
            found = [one for part in node.args for one in self.alternatives(part)]
            self.limit(len(found), node)
            return found
        if kind not in ("GreaterEqual", "GreaterThan", "LessEqual", "LessThan", "Equal"):
            self.fail(f"a condition must be and, or, <=, <, >=, > or ==, got {kind}", _line(node))
        form = self.sum([(Fraction(1), self.form(node.lhs)), (Fraction(-1), self.form(node.rhs))])
        opposite = {key: -value for key, value in form.items()}
        if kind == "Equal":
            return [[(form, False), (opposite, False)]]
        return [[(form if kind.startswith("Greater") else opposite, kind.endswith("Than"))]]

    def product(self, factors: list[list[list[Atom]]], node: Any) -> list[list[Atom]]:
        self.limit(math.prod(len(factor) for factor in factors), node)
        common = [atom for factor in factors if len(factor) == 1 for atom in factor[0]]
        choices = itertools.product(*(factor for factor in factors if len(factor) != 1))
        return [[*common, *itertools.chain(*choice)] for choice in choices]

    def limit(self, count: int, node: Any) -> None:
        if count > CONJUNCTS:
            self.fail(
                f"at most {CONJUNCTS:,} alternatives are supported, got {count:,}",
                node and _line(node),
            )

    def form(self, node: Any) -> Form:  # noqa: RET503 - `fail` raises
        """An expression as an affine function of the variables."""
        match type(node).__name__:
            case "Var":
                place = 0
                for size, at in zip(node.shape, node.indices, strict=True):
                    place = place * size + at
                return {(self.sides[node.name], place): Fraction(1)}
            case "Float":
                return {CONSTANT_TERM: self.numbers[int(node.lexeme.removesuffix(".0"))]}
            case "Negate":
                return self.sum([(Fraction(-1), self.form(node.expr))])
            case "Plus":
                return self.sum([(Fraction(1), self.form(part)) for part in node.args])
            case "Minus":
                rest = [(Fraction(-1), self.form(part)) for part in node.rest]
                return self.sum([(Fraction(1), self.form(node.head)), *rest])
            case "Multiply":
                forms = [self.form(part) for part in node.args]
                moving = [form for form in forms if set(form) - {CONSTANT_TERM}]
                if len(moving) > 1:
                    self.fail(
                        "products of variables are not supported: conditions must be linear",
                        _line(node),
                    )
                factor = math.prod(
                    (form.get(CONSTANT_TERM, Fraction(0)) for form in forms if form not in moving),
                    start=Fraction(1),
                )
                return self.sum([(factor, moving[0] if moving else {CONSTANT_TERM: Fraction(1)})])
        self.fail(
            f"numbers must be reals, and operations +, - or *, got {type(node).__name__}",
            _line(node),
        )

    @staticmethod
    def sum(parts: list[tuple[Fraction, Form]]) -> Form:
        total: Form = {}
        for factor, form in parts:
            for key, value in form.items():
                total[key] = total.get(key, Fraction(0)) + factor * value
        return {key: value for key, value in total.items() if value}

    def conjunct(self, atoms: list[Atom], inputs: int) -> Conjunct | None:
        """Box and constraints; None if no input is in the box."""
        lower: list[Fraction | None] = [None] * inputs
        upper: list[Fraction | None] = [None] * inputs
        constraints = []
        empty = False
        for form, strict in atoms:
            keys = set(form) - {CONSTANT_TERM}
            offset = form.get(CONSTANT_TERM, Fraction(0))
            if not keys:
                empty = empty or offset < 0 or (strict and offset == 0)
                continue
            bounds = len(keys) == 1 and next(iter(keys))[0] == "x"
            if bounds:
                (key,) = keys
                end, j = -offset / form[key], key[1]
                before = (lower if form[key] > 0 else upper)[j]
                if form[key] > 0:
                    lower[j] = end if before is None else max(before, end)
                else:
                    upper[j] = end if before is None else min(before, end)
            if strict or not bounds:
                x, y = (
                    tuple(sorted((k, v) for (s, k), v in form.items() if s == side))
                    for side in "xy"
                )
                constraints.append(Constraint(x, y, offset, strict))
        for side, name in ((lower, "lower"), (upper, "upper")):
            if None in side:
                self.fail(f"input {side.index(None)} has no {name} bound", None)
        low, high = (tuple(v for v in side if v is not None) for side in (lower, upper))
        empty = empty or any(a > b for a, b in zip(low, high, strict=True))
        return None if empty else Conjunct(low, high, tuple(constraints))


def _line(node: Any) -> int | None:
    """The first line of an expression."""
    while not hasattr(node, "line"):
        children = node.children()
        if not children:
            return None
        node = children[0]
    return int(node.line)


def _line_of(word: str, text: str) -> int:
    """The last line with a word, or the first."""
    return text.count("\n", 0, max(0, text.rfind(word))) + 1
