"""Multiplication tables against the published ones, matrices, and the axioms."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vernier.errors import ModelError
from vernier.models.algebra.structure import LARGEST, Algebra, find_algebra

QUATERNION = """
1 e12 e23 e13
e12 -1 e13 -e23
e23 -e13 -1 e12
e13 e23 -e12 -1
"""
CL3 = """
1 e1 e2 e3 e12 e13 e23 e123
e1 1 e12 e13 e2 e3 e123 e23
e2 -e12 1 e23 -e1 -e123 e3 -e13
e3 -e13 -e23 1 e123 -e1 -e2 e12
e12 -e2 e1 e123 -1 -e23 e13 -e3
e13 -e3 -e123 e1 e23 -1 -e12 e2
e23 e123 -e3 e2 -e13 e12 -1 -e1
e123 e23 -e13 e12 -e3 e2 -e1 -1
"""


def printed(algebra: Algebra) -> list[list[str]]:
    names = {1: "", -1: "-"}
    return [["0" if s == 0 else f"{names[s]}{algebra.blades[k]}" for k, s in row] for row in algebra.table]


def product(algebra: Algebra, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    result = np.zeros(algebra.size, dtype=np.result_type(x, w))
    for (i, row), (j, _) in itertools.product(enumerate(algebra.table), enumerate(algebra.blades)):
        k, sign = row[j]
        result[k] += sign * x[i] * w[j]
    return result


@pytest.mark.parametrize(("name", "table"), [("quaternion", QUATERNION), ("Cl(3,0)", CL3)])
def test_published_tables(name: str, table: str) -> None:
    assert printed(find_algebra(name)) == [line.split() for line in table.strip().splitlines()]


@pytest.mark.parametrize(
    ("name", "blades"),
    [
        ("real", "1"),
        ("complex", "1 e12"),
        ("quaternion", "1 e12 e23 e13"),
        ("Cl(0,1)", "1 e1"),
        ("Cl(3,0)", "1 e1 e2 e3 e12 e13 e23 e123"),
        ("Cl+(3,0)", "1 e12 e13 e23"),
        ("Cl+(3,0,1)", "1 e12 e13 e14 e23 e24 e34 e1234"),
    ],
)
def test_blades_by_grade_then_number(name: str, blades: str) -> None:
    assert find_algebra(name).blades == tuple(blades.split())


def test_squares_of_generators_are_plus_then_minus_then_zero() -> None:
    algebra = find_algebra("Cl(2,1,1)")
    squares = [algebra.table[i][i] for i in range(1, 5)]
    assert squares == [(0, 1), (0, 1), (0, -1), (0, 0)]


def test_complex_numbers_are_pythons() -> None:
    x, w = 2 - 3j, -0.5 + 4j
    y = product(find_algebra("complex"), np.array([x.real, x.imag]), np.array([w.real, w.imag]))
    assert complex(*y) == x * w


def test_hamiltons_rules() -> None:
    algebra = find_algebra("quaternion")
    i, j, k = (np.eye(4)[n] for n in (1, 2, 3))
    minus_one = -np.eye(4)[0]
    for square in (product(algebra, unit, unit) for unit in (i, j, k)):
        np.testing.assert_array_equal(square, minus_one)
    np.testing.assert_array_equal(product(algebra, product(algebra, i, j), k), minus_one)
    np.testing.assert_array_equal(product(algebra, j, i), -k)


def test_cl3_is_the_algebra_of_pauli_matrices() -> None:
    algebra = find_algebra("Cl(3,0)")
    pauli = {
        "1": np.array([[0, 1], [1, 0]]),
        "2": np.array([[0, -1j], [1j, 0]]),
        "3": np.array([[1, 0], [0, -1]]),
    }
    matrices = []
    for blade in algebra.blades:
        matrix = np.eye(2, dtype=complex)
        for generator in blade[1:]:
            matrix = matrix @ pauli[generator]
        matrices.append(matrix)
    for i, j in itertools.product(range(8), repeat=2):
        k, sign = algebra.table[i][j]
        np.testing.assert_allclose(matrices[i] @ matrices[j], sign * matrices[k], atol=1e-15)


@st.composite
def names(draw: st.DrawFn) -> str:
    even = draw(st.booleans())
    p, q = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    r = draw(st.integers(0, (5 if even else 4) - p - q))
    return f"Cl{'+' if even else ''}({p},{q},{r})"


@settings(max_examples=40, deadline=None)
@given(names(), st.integers(0, 2**32 - 1))
def test_associative_with_a_unit(name: str, seed: int) -> None:
    algebra = find_algebra(name)
    x, y, z = np.random.default_rng(seed).integers(-9, 10, (3, algebra.size))
    left = product(algebra, product(algebra, x, y), z)
    np.testing.assert_array_equal(left, product(algebra, x, product(algebra, y, z)))
    unit = np.eye(algebra.size, dtype=int)[0]
    np.testing.assert_array_equal(product(algebra, unit, x), x)
    np.testing.assert_array_equal(product(algebra, x, unit), x)


@settings(max_examples=40, deadline=None)
@given(names())
def test_right_factors_are_the_table_by_result(name: str) -> None:
    algebra = find_algebra(name)
    found = {(i, j): (k, s) for k, row in enumerate(algebra.right_factors) for i, (j, s) in enumerate(row) if s}
    table = {(i, j): (k, s) for i, row in enumerate(algebra.table) for j, (k, s) in enumerate(row) if s}
    assert found == table
    assert algebra.terms == len(table) / algebra.size


def test_terms_of_nondegenerate_algebras_are_their_size() -> None:
    assert [find_algebra(name).terms for name in ("real", "complex", "quaternion", "Cl(1,2)")] == [1, 2, 4, 8]
    assert find_algebra("Cl(2,0,1)").terms == 6


def test_spellings_of_one_algebra() -> None:
    assert find_algebra("Cl(3,0)") == find_algebra("Cl(3,0,0)") == find_algebra("cl(3, 0, 0)")
    assert find_algebra("Cl(3,0,0)").name == "Cl(3,0)"
    assert find_algebra("Quaternion").name == "quaternion"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("quaternions", "Did you mean quaternion?"),
        ("Cl(3)", "allowed are real, complex, quaternion, Cl(p,q,r) and Cl+(p,q,r)"),
        ("octonion", "model.algebra.name=octonion"),
        ("", "allowed are"),
        ("Cl(3,0,2)", f"more than {LARGEST} blades; p + q + r of Cl is at most 4"),
        ("Cl+(3,3)", "p + q + r of Cl+ is at most 5"),
    ],
)
def test_other_names_are_refused(name: str, told: str) -> None:
    with pytest.raises(ModelError, match=re.escape(told)):
        find_algebra(name)


def test_the_largest_are_allowed() -> None:
    assert find_algebra("Cl(4,0)").size == find_algebra("Cl+(0,5)").size == LARGEST
