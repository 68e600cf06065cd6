"""Is a network safe? Any property of linear constraints on boxes, decided with a certificate or an
unsafe input.

Whole, because a group of conjuncts is searched and written down by the same rows: what it proves is
what its certificate says.
"""

from __future__ import annotations

import functools
import gzip
import itertools
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np

from constructions import (
    Affine,
    Constraint,
    Dense,
    Property,
    ReLUNetwork,
    Result,
    margin_network,
    read_property,
)
from constructions.internal import Said, said, several, write_file

from ..checkers import check_certificate as checker
from ..quantities.reading import read_network, read_positive
from ..search.attack import attack
from ..search.bounding import BROKEN, lower_bounds
from ..search.facts import facts
from ..search.layers import bound_layers
from ..search.leaves import leaf_of
from ..search.prepared import prepare
from ..search.question import Question, Undecided
from ..search.sets import ExactSet
from ..splitting.splitting import InputSplitting, count_boxes, share_of
from .decision import MAX_SECONDS, decide_margin, output_loss, source_of

FORMAT = "cgro property certificate 1"

ALL = "all"
"""What the entry `constraints` of a part says whose network has all constraints one by one."""

SPLIT_INPUTS = 16
"""Up to so many inputs, boxes are split where a whole one is not decided."""

FIRST_SHARE, TRIES = 0.25, 4.0
"""The share of the time that a whole box gets, and the time that a part gets in units of one proof,
before they are split.
"""

STRICT = Fraction(1, 2**20)
"""By how much witnesses of strict constraints are sought; less will do."""

NO_FORM = "the standalone checker does not read this witness, which is its own proof"
"""Why an unsafe input has no certificate: no constraints at all, or numbers too long."""

Point = tuple[Fraction, ...]


@dataclass(frozen=True, repr=False)
class Decision(Result):
    """Whether some input is unsafe, and what shows it.

    Attributes:
        result: "sat" (`witness` is an unsafe input, exactly), "unsat" (none is: `certificate`
            proves it), or "unknown" (`reason` says why).
        witness: an unsafe input, of Fractions, or None.
        certificate: the proof that none is, or the witness with the margin network that it refutes;
            None where nothing is known.
        seconds: wall time.
        reason: why nothing is known.
        confirmed: whether ONNX Runtime, in the file's float32, finds the input next to the witness
            unsafe, too; None where that was not tried (no .onnx file, no witness, no ONNX Runtime).
    """

    result: Literal["sat", "unsat", "unknown"]
    witness: Point | None = field(default=None, repr=False)
    certificate: dict[str, Any] | None = field(default=None, repr=False)
    seconds: float = 0.0
    reason: str = ""
    confirmed: bool | None = None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the certificate as JSON (atomically).

        Args:
            path: where.

        Raises:
            ValueError: if there is none.
        """
        if self.certificate is None:
            why = {"sat": NO_FORM}.get(self.result, "nothing is proved")
            raise ValueError(f"there is no certificate to save: {why}")
        write_file(path, json.dumps(self.certificate, allow_nan=False))

    def _says(self) -> tuple[str, dict[str, Said]]:
        first, _, second = str(self).partition("\n")
        return f"{first.partition(' ')[0]}: {second}", {"seconds": said(self.seconds, "measured")}

    def __str__(self) -> str:
        if self.result == "sat" and self.witness is not None:
            shown = ", ".join(f"{float(v):.6g}" for v in self.witness[:4]) + (
                ", ..." if len(self.witness) > 4 else ""
            )
            what = f"unsafe, exactly, at ({shown})"
            if self.confirmed is not None:
                what += f"; ONNX Runtime: {'' if self.confirmed else 'not '}confirmed in float32"
        elif self.result == "unsat" and self.certificate is not None:
            proofs = [query for part in self.certificate["parts"] for query in part["queries"]]
            queries = sum(count_boxes(query.get("boxes", {})) for query in proofs)
            boxes = "box" if queries == 1 else "boxes"
            what = f"no unsafe input: {queries} {boxes} proved, and checked in integers"
        else:
            what = self.reason
        return f"{self.result} ({self.seconds:.2f} s)\n{what}"


def decide(
    network: Any, property: Property | str | os.PathLike[str], *, max_seconds: float = MAX_SECONDS
) -> Decision:
    """Decide whether a network has an unsafe input, in exact arithmetic.

    Each box with its conjuncts becomes one network whose margin is positive where the box is safe:
    the least of the constraints of a conjunct, negated, by maxima of ReLUs behind the network's own
    layers. `certify`'s search decides it; with up to `SPLIT_INPUTS` inputs, boxes that stay open
    are split in two. Every proof is one that `check_certificate` accepts; a witness is evaluated in
    rationals. Of a network that was rounded on reading, "unsat" and "sat" hold for its source: what
    was rounded is added to the constraints. Boxes with sides that are no dyadic numbers are proved
    on the least dyadic box around them; constants are rounded, to the safe side, to float64. Strict
    constraints are proved without equality; a witness fulfils them strictly.

    Args:
        network: a ReLUNetwork, a module, or the path of a file.
        property: a `Property`, or the path of a VNN-LIB file.
        max_seconds: wall time, looked at between steps.

    Returns:
        A `Decision`.

    Raises:
        ValueError: for sizes that do not fit, a box beyond the network's domain, layers too large
            to be dense and coefficients that float64 does not hold (no multiple of them, either),
            and what reading raises.
        TypeError: for what is no property, and as reading.

    Source: Bunel et al. 2018 (properties as networks), Wang et al. 2018 (splitting inputs).

    Example:
        >>> from constructions import Ball, affine
        >>> net = affine([[1.0, 0.0], [0.0, 1.0]])
        >>> decide(net, Property.robust([0.75, 0.25], Ball("inf", 0.125), 0, 2)).result
        'unsat'
        >>> decide(
        ...     net,
        ...     Property(
        ...         box=([0.0, 0.0], [1.0, 1.0]), unsafe=[([[1.0, 0.0], [0.0, 1.0]], [-1.0, -1.0])]
        ...     ),
        ... ).witness
        (Fraction(1, 1), Fraction(1, 1))
    """
    start = time.monotonic()
    file = Path(network) if isinstance(network, (str, os.PathLike)) else None
    if not isinstance(property, (Property, str, os.PathLike)):
        raise TypeError(
            f"property must be a Property or the path of a VNN-LIB file, got "
            f"{type(property).__name__}"
        )
    known = read_network(network)
    asked = property if isinstance(property, Property) else read_property(property)
    check_fit(known, asked)
    seconds = read_positive("max_seconds", max_seconds)
    if not asked.conjuncts:
        reason = "nothing is asked: no input fulfils the property's constraints on inputs"
        return Decision("unsat", seconds=time.monotonic() - start, reason=reason)
    try:
        found = _decided(known, asked, start + seconds)
    except Undecided as error:
        return Decision("unknown", seconds=time.monotonic() - start, reason=str(error))
    except OverflowError as error:
        reason = f"float64 does not hold the ends of a box: {error}"
        return Decision("unknown", seconds=time.monotonic() - start, reason=reason)
    witness, certificate = found
    if witness is None:
        return Decision("unsat", None, certificate, time.monotonic() - start)
    confirmed = confirm(file, asked, witness) if file and ".onnx" in file.name else None
    return Decision("sat", witness, certificate, time.monotonic() - start, confirmed=confirmed)


def check_fit(network: ReLUNetwork, asked: Property) -> None:
    """Raise ValueError where a property is about other sizes, or leaves the network's domain."""
    if (network.inputs, network.outputs) != (asked.inputs, asked.outputs):
        sizes = f"{several(network.inputs, 'input')} and {several(network.outputs, 'output')}"
        raise ValueError(
            f"property must be about {sizes}, as the network has, got {asked.inputs} and "
            f"{asked.outputs}"
        )
    if network.domain is not None:
        low, high = network.domain
        for part in asked.conjuncts:
            if min(part.lower) < low or max(part.upper) > high:
                raise ValueError(
                    f"the property's boxes must lie in the network's domain [{low}, {high}]"
                )


# -- the search ------------------------------------------------------------------------------------


def _decided(
    network: ReLUNetwork, asked: Property, end: float
) -> tuple[Point | None, dict[str, Any] | None]:
    """An unsafe input, or None, and a certificate; else raises `Undecided`."""
    boxes: dict[tuple[Point, Point], list[int]] = {}
    for i, part in enumerate(asked.conjuncts):
        boxes.setdefault((part.lower, part.upper), []).append(i)
    groups = [Group(network, asked, numbers, end) for numbers in boxes.values()]
    for group in groups:
        if witness := group.attack(group.lower, group.upper, True):
            return witness, refutation(group, witness)
    for group in groups:
        if witness := group.decide():
            return witness, refutation(group, witness)
    return None, certificate_with(network, groups)


def certificate_with(network: ReLUNetwork, groups: list[Group]) -> dict[str, Any]:
    """The parts of all groups, and what their network was read from."""
    source = source_of(network)
    if source is not None:
        source["difference"] = str(greatest_loss(groups))
    parts = [part for group in groups for part in group.parts.values()]
    return {"format": FORMAT, "source": source, "parts": parts}


def refutation(group: Group, witness: Point) -> dict[str, Any] | None:
    """The certificate of an unsafe input; None if the standalone checker does not accept it."""
    if any(not each for each in group.rows):
        return None
    known = prepare(group.whole)
    query = Question(known, ExactSet(group.lower, group.upper), 0).refuted(witness)
    if checker.check(known.exact, query):
        return None
    group.parts.clear()
    group.note((), group.whole, query)
    return certificate_with(group.network, [group])


def greatest_loss(groups: list[Group]) -> Fraction:
    """The most that an output may differ on a group's box from that of the source."""
    return max((loss for group in groups for loss in group.loss), default=Fraction(0))


class Group:
    """Conjuncts of a property on one box: where each of them fails, the box is safe."""

    def __init__(
        self, network: ReLUNetwork, asked: Property, numbers: list[int], end: float
    ) -> None:
        self.network, self.asked, self.numbers, self.end = network, asked, numbers, end
        self.lower, self.upper = (
            list(side)
            for side in (asked.conjuncts[numbers[0]].lower, asked.conjuncts[numbers[0]].upper)
        )
        try:
            self.loss = output_loss(network, self.lower, self.upper)
        except ValueError as error:
            reason = f"what was rounded on reading has no bound on a box: {error}"
            raise Undecided(reason) from error
        self.rows = [
            [self.moved(row, 1) for row in asked.conjuncts[i].constraints] for i in numbers
        ]
        # by constraint for each conjunct, (), or ALL: certificates
        self.parts: dict[tuple[int, ...] | str, dict[str, Any]] = {}
        self.selected: dict[tuple[int, ...], ReLUNetwork] = {}
        self.cost = 0.1  # seconds that a box takes which one bound proves
        strict = any(row.strict for each in self.rows for row in each)
        self.tight = [
            [self.moved(row, -1) for row in asked.conjuncts[i].constraints] for i in numbers
        ]
        self.same = not (strict or any(self.loss))

    def moved(self, row: Constraint, sign: int) -> Constraint:
        """A constraint that is implied by it, or (sign -1) implies it, whatever was rounded when
        the network was read.
        """
        lost = sum((abs(v) * self.loss[k] for k, v in row.outputs), Fraction(0)) + (
            STRICT if row.strict and sign < 0 else 0
        )
        return replace(row, offset=row.offset + sign * lost)

    @functools.cached_property
    def whole(self) -> ReLUNetwork:
        """The margin network of all conjuncts."""
        return margin_network(self.network, self.rows)

    @functools.cached_property
    def target(self) -> ReLUNetwork:
        """The margin network that is attacked: what is not positive is unsafe, up to rounding."""
        return self.whole if self.same else margin_network(self.network, self.tight)

    @functools.cached_property
    def single(self) -> ReLUNetwork:
        """The margin network of all constraints one by one."""
        return margin_network(self.network, [[row] for each in self.rows for row in each])

    @functools.cached_property
    def groups(self) -> list[slice]:
        """Which constraints of `single` are those of each conjunct."""
        ends = itertools.accumulate((len(each) for each in self.rows), initial=0)
        return [slice(a, b) for a, b in itertools.pairwise(ends)]

    def chosen(self, choice: tuple[int, ...] | str) -> ReLUNetwork:
        """The margin network of one constraint of each conjunct, with the hidden units of `single`;
        of the least of all for (); `single` for ALL.
        """
        if not choice:
            return self.whole
        if isinstance(choice, str):
            return self.single
        if choice not in self.selected:
            starts = itertools.accumulate((len(each) for each in self.rows), initial=1)
            rows = [0, *(start + i for start, i in zip(starts, choice, strict=False))]
            *hidden, last = self.single.layers
            weight, bias = (Dense(matrix.to_dense()[rows]) for matrix in (last.weight, last.bias))
            self.selected[choice] = ReLUNetwork((*hidden, Affine(weight, bias)))
        return self.selected[choice]

    def attack(
        self, lower: list[Fraction], upper: list[Fraction], whole: bool = False
    ) -> Point | None:
        """An unsafe input of a box, if projected gradient descent finds one."""
        if any(not each for each in self.rows):
            return self.unsafe(lower)  # a conjunct without constraints
        with np.errstate(all="ignore"):
            known = prepare(self.target)
            starts = (
                512 if whole and sum(weight.size for weight, _ in known.arrays) < 100_000 else 4
            )
            question = Question(known, ExactSet(lower, upper), 0)
            found = attack(question, 32 if whole else 16, starts)
        return self.unsafe(found) if found else None

    def unsafe(self, point: Sequence[Fraction]) -> Point | None:
        """The point, if it is unsafe for what the network was read from."""
        values = self.network.exact(list(point)).tolist()
        for i in self.numbers:
            rows = self.asked.conjuncts[i].constraints
            slack = (
                sum((abs(v) * self.loss[k] for k, v in row.outputs), Fraction(0)) for row in rows
            )
            if all(row.holds(point, values, lost) for row, lost in zip(rows, slack, strict=True)):
                return tuple(point)
        return None

    def decide(self) -> Point | None:
        """Prove the box, part by part, or find an unsafe input; raises `Undecided`."""
        stack = [(self.lower, self.upper)]
        while stack:
            lower, upper = stack.pop()
            place, choice = self.prove_at_once(lower, upper)
            if place is None:
                continue
            first = lower is self.lower and upper is self.upper
            if first and (answer := self.split()):
                return answer if isinstance(answer, tuple) else None
            left = self.end - time.monotonic()
            if left <= 0:
                raise Undecided(
                    f"time limit, with {self.proved} boxes proved and {len(stack) + 1} open"
                )
            middle = Fraction(float((lower[place] + upper[place]) / 2))
            divisible = self.network.inputs <= SPLIT_INPUTS and lower[place] < middle < upper[place]
            if first or not divisible:
                choice, seconds = (), FIRST_SHARE * left if divisible else left
            else:
                seconds = min(left, TRIES * self.cost)
            network = self.chosen(choice)
            found = decide_margin(network, ExactSet(lower, upper), 0, seconds)
            if found.query is not None and found.verdict == "proved":
                self.note(choice, network, found.query)
                continue
            for point in (
                found.witness,
                None if first and self.same else self.attack(lower, upper),
            ):
                if point and (witness := self.unsafe(point)):
                    return witness
            if not divisible:
                if not found.witness:
                    raise Undecided(found.reason)
                raise Undecided(
                    "the margin is within rounding of 0, or a strict constraint is met with "
                    "equality"
                )
            stack.append((lower, [*upper[:place], middle, *upper[place + 1 :]]))
            stack.append(([*lower[:place], middle, *lower[place + 1 :]], upper))
        return None

    def split(self) -> Point | bool:
        """An unsafe input, or whether the box is proved, by splitting a box with few inputs."""
        if self.network.inputs > SPLIT_INPUTS:
            return False
        exact_set = ExactSet(self.lower, self.upper)
        question = Question(prepare(self.single), exact_set, 0)

        def replay(point: np.ndarray) -> Point | None:
            return self.unsafe(exact_set.nearest(point.tolist()))

        splitting = InputSplitting(question, self.groups, replay, share_of(self.end))
        try:
            with np.errstate(all="ignore"):
                if not splitting.come_first():
                    return False
                found = splitting.attack() or splitting.run()
        except (Undecided, *BROKEN):
            return False
        if isinstance(found, tuple):
            return found
        self.note(ALL, self.single, question.query(found))
        return True

    @property
    def proved(self) -> int:
        """How many boxes are proved."""
        return sum(len(part["queries"]) for part in self.parts.values())

    def note(
        self, choice: tuple[int, ...] | str, network: ReLUNetwork, query: dict[str, Any]
    ) -> None:
        """Keep a query that the checker accepts."""
        known = prepare(network)
        if choice not in self.parts:
            constraints = ALL if choice == ALL else list(choice) or None
            about = {"conjuncts": self.numbers, "constraints": constraints}
            head = {"format": checker.FORMAT, "network": known.data, "digest": known.digest}
            self.parts[choice] = {**about, **head, "queries": []}
        self.parts[choice]["queries"].append(query)

    def prove_at_once(
        self, lower: list[Fraction], upper: list[Fraction]
    ) -> tuple[int | None, tuple[int, ...]]:
        """Prove a box by one bound for each conjunct; else the input along which to split it. Also
        the best constraints.
        """
        start = time.monotonic()
        question = Question(prepare(self.single), ExactSet(lower, upper), 0)
        inputs = question.inputs
        try:
            with np.errstate(all="ignore"):
                bounded = bound_layers(question, max(self.end, start))
                layers, forms, constants = bounded.layers, bounded.forms, question.constants
                bounds, factors = lower_bounds(forms, constants, layers, inputs)
            starts = np.cumsum([0, *(len(each) for each in self.rows)])
            best = [int(a + bounds[a:b].argmax()) for a, b in itertools.pairwise(starts)]
            choice = tuple(int(i - a) for i, a in zip(best, starts[:-1], strict=True))
            if bounds[best].min() > 0:
                leaves = []
                for i in best:
                    goal = forms[i], float(constants[i])
                    leaf = leaf_of(*goal, [d[i] for d in factors], layers, {}, inputs)
                    if leaf is None:
                        break
                    leaves.append(leaf)
                else:
                    trees = [leaf.to_json(layers) for leaf in leaves]
                    query = question.proved(facts(bounded, leaves), trees)
                    network = self.chosen(choice)
                    bound = Fraction(checker.least_margin(prepare(network).exact, query))
                    if bound > 0:
                        self.note(choice, network, query | {"bound": str(bound)})
                        self.cost = (self.cost + time.monotonic() - start) / 2
                        return None, choice
            worst = min(best, key=lambda i: bounds[i])
            slope = factors[0][worst] @ layers[0].weight if layers else forms[worst]
        # floats that overflow, or a proof that is none
        except BROKEN:
            slope, choice = np.ones(len(lower)), ()
        with np.errstate(all="ignore"):
            width = inputs.upper - inputs.lower
            return int((np.nan_to_num(np.abs(slope)) * width + 1e-6 * width).argmax()), choice


# -- other programs --------------------------------------------------------------------------------


def confirm(path: Path, asked: Property, witness: Point) -> bool | None:
    """Whether ONNX Runtime, too, finds unsafe outputs next to a witness; None without the package.

    The input is the nearest of the file's own type (float32), within the box where that holds such
    numbers.
    """
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else str(path)
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    kind = {"tensor(float16)": np.float16, "tensor(float)": np.float32}.get(given.type, np.float64)
    shape = [size if isinstance(size, int) else 1 for size in given.shape]
    for part in asked.conjuncts:
        if part.contains(witness):
            rows = zip(witness, part.lower, part.upper, strict=True)
            point = np.array([nearest_float(*row, kind) for row in rows], dtype=kind)
            (values, *_) = session.run(None, {given.name: point.reshape(shape)})
            x, y = ([Fraction(v) for v in side.reshape(-1).tolist()] for side in (point, values))
            if all(row.holds(x, y) for row in part.constraints):
                return True
    return False


def nearest_float(value: Fraction, low: Fraction, high: Fraction, kind: Any) -> Any:
    """The number of a floating-point type next to a value, in an interval if that holds one.

    >>> float(nearest_float(Fraction(1, 10), Fraction(0), Fraction(1, 10), np.float32)) < 0.1
    True
    """
    found = kind(float(value))
    for wrong, side in (
        (Fraction(float(found)) < low, np.inf),
        (Fraction(float(found)) > high, -np.inf),
    ):
        moved = np.nextafter(found, kind(side))
        if wrong and low <= Fraction(float(moved)) <= high:
            return moved
    return found
