"""Properties: built from arrays, and read from VNN-LIB files, exactly or not at all."""

import gzip
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from constructions import Ball, Conjunct, Constraint, Property, read_property

V1 = """; the same in both versions
(declare-const X_0 Real)
(declare-const X_1 Real)
(declare-const Y_0 Real)
(declare-const Y_1 Real)
(assert (>= X_0 0.1))
(assert (<= X_0 1.5e0))
(assert (and (>= X_1 -5e-1) (<= X_1 .5)))
(assert (<= X_1 2))
(assert (or (and (>= Y_0 Y_1)
                 (< (+ (* 2 Y_0) (- Y_1 3)) -1e-3))
            (and (<= Y_1 (- X_0)))))
"""
V2 = """(vnnlib-version <2.0>)
(declare-network f
    (declare-input X Real [1,2,1])
    (declare-output Y Real [2])
)
(assert (>= X[0,0,0] 0.1))
(assert (<= X[0,0,0] 1.5))
(assert (and (>= X[0,1,0] -0.5) (<= X[0,1,0] 0.5)))
(assert (or (and (>= Y[0] Y[1]) (> -0.001 (+ (* 2.0 Y[0]) Y[1] -3.0))) (<= (+ X[0,0,0] Y[1]) 0.0)))
"""
HALF, TENTH = Fraction(1, 2), Fraction(1, 10)


def read_text(folder, text, name="a.vnnlib"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_property(path)


def row(x, y, offset, strict=False):
    entries = (tuple((k, Fraction(v)) for k, v in side.items()) for side in (x, y))
    return Constraint(*entries, Fraction(offset), strict)


EXPECTED = Property.of(
    2,
    2,
    [
        Conjunct(
            (TENTH, -HALF),
            (Fraction(3, 2), HALF),
            (row({}, {0: 1, 1: -1}, 0), row({}, {0: -2, 1: -1}, 3 - Fraction(1, 1000), True)),
        ),
        Conjunct((TENTH, -HALF), (Fraction(3, 2), HALF), (row({0: -1}, {1: -1}, 0),)),
    ],
)


def test_both_versions_say_the_same_exactly(tmp_path):
    assert read_text(tmp_path, V1) == read_text(tmp_path, V2) == EXPECTED
    assert read_text(tmp_path, V1.replace("\n", "\r\n").replace(" ", "\t ")) == EXPECTED
    assert read_text(tmp_path, gzip.compress(V2.encode()), "a.vnnlib.gz") == EXPECTED
    assert read_text(tmp_path, V2.replace("Real", "float32")) == EXPECTED


def test_boxes_within_or_and_bounds_that_meet(tmp_path):
    head = "(declare-const X_0 Real)(declare-const Y_0 Real)\n"
    text = (
        "(assert (or (and (>= X_0 -1) (<= X_0 1) (>= Y_0 100)) "
        "(and (== X_0 3.0) (<= Y_0 0)) (and (<= X_0 1) (>= X_0 2))))"
    )
    asked = read_text(tmp_path, head + text)
    assert [(p.lower, p.upper) for p in asked.conjuncts] == [((-1,), (1,)), ((3,), (3,))]
    several = (
        "(assert (>= X_0 0))(assert (>= 1 X_0))(assert (<= (* 2 X_0) 1))"
        "(assert (> X_0 -7))(assert (== Y_0 X_0))"
    )
    (part,) = read_text(tmp_path, head + several).conjuncts
    assert (part.lower, part.upper) == ((0,), (HALF,))
    assert [c.strict for c in part.constraints] == [True, False, False]
    assert part.constraints[1].outputs == ((0, 1),)
    assert read_text(tmp_path, head + "(assert (<= X_0 0))(assert (>= X_0 1))").conjuncts == ()


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("0.1))", "1/3))", 6, "must be a name, a number or a comparison, got '1/3'"),
        ("0.1))", "nan))", 6, "'nan'"),
        ("0.1))", "1.0.0))", 6, "got '1.0.0'"),
        ("0.1))", "1.0-2.0))", 6, "got '1.0-2.0'"),
        ("0.1))", "1e99999999))", 6, "at most 4,000 digits .* got '1e99999999'"),
        ("0.1))", f"1e{'9' * 9000}))", 6, "at most 4,000 digits"),
        ("0.1))", "1e-4001))", 6, "at most 4,000 digits"),
        ("0.1))", f"{'9' * 9000}))", 6, "at most 4,000 digits"),
        ("X_0 0.1", "X_7 0.1", 6, "Index out of bounds.*X"),
        ("X_0 0.1", "Z_0 0.1", 6, "Z_0"),
        ("X_0 0.1", "X[0] 0.1", 6, r"named X_0, X_1, .* got '\[0\]'"),
        ("(>= X_0 0.1)", "(>= X_0 0.1 0.2)", 6, "'0.2'"),
        ("(>= X_0 0.1)", "(=> X_0 0.1)", 6, "="),
        ("(>= X_0 0.1)", "(!= X_0 0.1)", 6, "must be and, or, .* got NotEqual"),
        ("(>= X_0 0.1)", "(not (>= X_0 0.1))", 6, "not"),
        ("(>= X_0 0.1)", "(>= (* X_0 Y_0) 0.1)", 6, "products of variables are not supported"),
        ("(assert (>= X_0 0.1))", "(check-sat)", 6, "got 'check-sat'"),
        (
            "(assert (>= X_0 0.1))",
            "(assert (>= X_0 0.1)))",
            6,
            "closes a parenthesis that is not open",
        ),
        ("(assert (>= X_0 0.1))", "(declare-const X_2 Int)", 6, "syntax error"),
        ("(assert (>= X_0 0.1))", "(" * 200, 6, "at most 100 parentheses may be open"),
        ("(* 2 Y_0)", "(* 2 Y_0 Y_1)", 11, "products of variables"),
        ("(* 2 Y_0)", "(/ Y_0 2)", 11, "'/'"),
    ],
)
def test_what_is_not_read_is_refused_by_line(tmp_path, old, new, line, message):
    assert V1.count(old) == 1
    with pytest.raises(ValueError, match=rf"a\.vnnlib, line {line}: (.|\n)*{message}"):
        read_text(tmp_path, V1.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<2.0>", "<3.0>", "line 1: Incompatible VNNLib version"),
        ("X Real [1,2,1]", "X int32 [1,2,1]", "line 6|line 3"),
        (
            "(declare-output",
            '(declare-hidden H Real [1] "h")(declare-output',
            "line 2: hidden nodes .* not supported",
        ),
        (
            "X Real [1,2,1])",
            "X Real [1,2,1])\n(declare-input Z Real [1])",
            "line 4: must declare one input, got 2",
        ),
        (
            "(assert (>= X",
            "(declare-network g (declare-input U Real [1])(declare-output V Real [1]))(assert (> X",
            "one net",
        ),
        ("X[0,0,0] 0.1", "X[0,5,0] 0.1", "line 6: Index out of bounds"),
        ("X[0,0,0] 0.1", "X[0,0] 0.1", "line 6: Not enough indices"),
    ],
)
def test_version_2_is_refused_by_line(tmp_path, old, new, message):
    assert old in V2
    with pytest.raises(ValueError, match=rf"a\.vnnlib, .*({message})"):
        read_text(tmp_path, V2.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("(assert (>= X_0 0.1))\n", "", "end of file: input 0 has no lower bound"),
        (
            "(declare-const X_0 Real)\n",
            "",
            "end of file: X_0, X_1, .* must be declared, got 1 declarations",
        ),
        (
            "(declare-const X_0 Real)",
            "(declare-const X_1 Real)",
            "end of file: .*without a gap and once each",
        ),
        ("(assert (or", "(assert (or (or", "line 13: a parenthesis is never closed"),
    ],
)
def test_incomplete_files_are_refused(tmp_path, old, new, message):
    with pytest.raises(ValueError, match=rf"a\.vnnlib, {message}"):
        read_text(tmp_path, V1.replace(old, new))


def test_files_that_are_no_text(tmp_path):
    with pytest.raises(ValueError, match=r"line 3: must be UTF-8 text, got the byte 0xff"):
        read_text(tmp_path, b"; one\n; two\n\xff\xfe")
    with pytest.raises(ValueError, match=r"a\.vnnlib\.gz cannot be read"):
        read_text(tmp_path, b"no archive", "a.vnnlib.gz")
    with pytest.raises(FileNotFoundError, match="no file"):
        read_property(tmp_path / "missing.vnnlib")
    many = " ".join("(or (<= Y_0 0) (<= Y_1 0))" for _ in range(40))
    with pytest.raises(ValueError, match="at most 20,000 alternatives are supported"):
        read_text(tmp_path, V1 + f"(assert (and {many}))")


@given(
    st.integers(0, len(V1) - 1), st.sampled_from([*"()[],;_X0.e-", " ", "\n", "(assert ", "\x00"])
)
def test_damaged_files_are_errors_or_properties(tmp_path_factory, place, piece):
    for text in (V1[:place] + piece + V1[place:], V1[:place] + piece + V1[place + 1 :], V1[:place]):
        try:
            asked = read_text(tmp_path_factory.getbasetemp(), text)
        except ValueError as error:
            assert "a.vnnlib" in str(error)  # noqa: PT017 - either outcome is right
        else:
            assert asked.inputs == 2


def test_properties_of_arrays():
    box = (np.zeros((1, 2)), torch.ones(2))
    one = Property(
        box,
        [
            (np.array([[1.0, -1.0]]), [0]),
            ([[0, 1], [1, 0]], [-1, Fraction(-1, 3)], [[0, 0], [0.5, 0]]),
        ],
    )
    first, second = one.conjuncts
    assert first.constraints == (row({}, {0: 1, 1: -1}, 0),)
    assert second.constraints == (row({}, {1: 1}, -1), row({0: HALF}, {0: 1}, Fraction(-1, 3)))
    assert one.violated([0, 0], [1, 1])
    assert not one.violated([0, 2], [1, 1])
    assert not one.violated([0, 0], [Fraction(1, 3) - Fraction(1, 10**30), 1])
    assert one.violated([1, 0], [Fraction(-1, 6), 1])
    both = one | Property(([3.0, 3.0], [4.0, 4.0]), [([[0.0, 0.0]], [1.0])])
    assert (len(both.conjuncts), both.violated([3, 4], [0, 1]), one.violated([3, 4], [0, 1])) == (
        3,
        True,
        False,
    )
    robust = Property.robust([0.5, 1.0], Ball("inf", 0.25), -1, 1)
    (part,) = robust.conjuncts
    assert (part.lower, part.upper) == ((Fraction(1, 4), Fraction(3, 4)), (Fraction(3, 4), 1))
    assert part.constraints == (row({}, {0: 1}, 0),)
    strict = Property.of(
        1, 1, [Conjunct((Fraction(0),), (Fraction(1),), (row({}, {0: 1}, 0, True),))]
    )
    assert (strict.violated([0], [0]), strict.violated([0], [1e-300])) == (False, True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Property([0.0], [([[1]], [0])]), r"box must be a pair"),
        (
            lambda: Property(([0.0] * 3, [1.0, 2.0]), [([[1]], [0])]),
            "box must have as many numbers a corner",
        ),
        (
            lambda: Property(([0.0], [-1.0]), [([[1]], [0])]),
            "box must have lower <= upper in every coordinate, got 0.0 > -1.0 at index 0",
        ),
        (
            lambda: Property(([0.0], [np.inf]), [([[1]], [0])]),
            r"box\[1\] must be finite, got inf at index 0",
        ),
        (lambda: Property(([0.0], [1.0]), []), "unsafe must be a list of alternatives"),
        (lambda: Property(([0.0], [1.0]), [([[1]],)]), r"unsafe\[0\] must be \(B, c\)"),
        (
            lambda: Property(([0.0], [1.0]), [([[1]], [0, 1])]),
            r"unsafe\[0\], B must be a matrix with a row for each of the 2",
        ),
        (
            lambda: Property(([0.0], [1.0]), [([[1]], [0]), ([[1, 2]], [0])]),
            r"unsafe\[1\], B must have 1 columns",
        ),
        (
            lambda: Property(([0.0], [1.0]), [([[1]], [0], [[1, 2]])]),
            r"unsafe\[0\], A must have 1 columns",
        ),
        (lambda: Property.robust([0.5], Ball(2, 0.1), 1, 1), "ball must be an l_inf Ball"),
        (lambda: Property.robust([0.5], Ball("inf", 0.1), 2, 1), "label must be -1 or 1, got 2"),
        (
            lambda: EXPECTED | Property(([0.0], [1.0]), [([[1]], [0])]),
            "must be about networks of equal sizes",
        ),
        (lambda: EXPECTED.violated([1], [1, 2]), "x and y must be 2 inputs and 2 outputs"),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
