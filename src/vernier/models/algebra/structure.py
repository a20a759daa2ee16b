"""Numbers with several parts: the multiplication tables of Clifford algebras.

Source: D. Hestenes, G. Sobczyk, Clifford Algebra to Geometric Calculus, 1984.
"""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations
from typing import final

from vernier.errors import ModelError
from vernier.models.provider import did_you_mean

LARGEST = 16
"""The most blades of an algebra; a layer costs their square."""

_NAMED = {"real": (), "complex": ((1, 2),), "quaternion": ((1, 2), (2, 3), (1, 3))}
_EXAMPLES = ("real", "complex", "quaternion", "Cl(3,0)", "Cl(2,0,1)", "Cl+(3,0)", "Cl+(3,0,1)")
_CLIFFORD = re.compile(r"Cl(?P<even>\+?)\((?P<p>\d+),(?P<q>\d+)(?:,(?P<r>\d+))?\)", re.IGNORECASE)

Blade = tuple[int, ...]
"""A product of generators by their ascending numbers from 1; () is 1."""


@final
@dataclass(frozen=True)
class Algebra:
    """An associative algebra over the reals with a unit, whose basis is closed under products but for the sign.

    Args:
        name: As in the config, in its shortest spelling.
        blades: Names of the basis, the first is `1`.
        table: `table[i][j]` is (k, sign) with b_i b_j = sign b_k; the sign is 1, -1, or 0 for a product that is 0.
    """

    name: str
    blades: tuple[str, ...]
    table: tuple[tuple[tuple[int, int], ...], ...]

    @property
    def size(self) -> int:
        """N, the number of blades."""
        return len(self.blades)

    @cached_property
    def right_factors(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """`right_factors[k][i]` is (j, sign) with b_i b_j = sign b_k, the only such j up to products that are 0."""
        rows: list[list[tuple[int, int]]] = [[(0, 0)] * self.size for _ in self.blades]
        for i, row in enumerate(self.table):
            for j, (k, sign) in enumerate(row):
                rows[k][i] = (j, sign)
        return tuple(map(tuple, rows))

    @property
    def terms(self) -> float:
        """How many products x_i w_j that are not 0 a blade of x w is the sum of: N, or the mean where some are 0."""
        return sum(abs(sign) for row in self.table for _, sign in row) / self.size


@lru_cache(maxsize=64)
def find_algebra(name: str) -> Algebra:
    """The algebra of a name.

    - `real`, `complex` {1, e12} and `quaternion` {1, e12, e23, e13}, with i = e12, j = e23, k = e13.
    - `Cl(p,q,r)`: p + q + r generators e1, e2, ... that anticommute, of which the first p square to 1, the next q to
      -1 and the last r to 0. All their products, by grade and then by number. r may be left out when it is 0.
    - `Cl+(p,q,r)`: its even subalgebra, the products of an even number of generators.

    Raises:
        ModelError: another name, or more than 16 blades.
    """
    if name.lower() in _NAMED:
        return _algebra(name.lower(), ((), *_NAMED[name.lower()]), (1, 1, 1))
    match = _CLIFFORD.fullmatch(name.replace(" ", ""))
    if match is None:
        raise ModelError(
            f"model.algebra.name={name}: allowed are real, complex, quaternion, Cl(p,q,r) and Cl+(p,q,r)."
            f"{did_you_mean(name, _EXAMPLES)}"
        )
    p, q, r = (int(match[key] or 0) for key in "pqr")
    even = match["even"]
    return _clifford(p, q, r, even)


def _clifford(p: int, q: int, r: int, even: str) -> Algebra:
    """Cl(p,q,r), or with `even` = `+` its even subalgebra."""
    count, step = p + q + r, 2 if even else 1
    name = f"Cl{even}({p},{q},{r})" if r else f"Cl{even}({p},{q})"
    if 2**count > LARGEST * step:
        most = LARGEST.bit_length() - 2 + step
        raise ModelError(
            f"model.algebra.name={name}: more than {LARGEST} blades; p + q + r of Cl{even} is at most {most}"
        )
    generators = range(1, count + 1)
    blades = [blade for grade in range(0, count + 1, step) for blade in combinations(generators, grade)]
    return _algebra(name, tuple(blades), (1,) * p + (-1,) * q + (0,) * r)


def _algebra(name: str, blades: tuple[Blade, ...], squares: tuple[int, ...]) -> Algebra:
    position = {blade: number for number, blade in enumerate(blades)}
    products = [[_product(left, right, squares) for right in blades] for left in blades]
    table = tuple(tuple((position[blade], sign) for blade, sign in row) for row in products)
    return Algebra(name, tuple(map(_blade_name, blades)), table)


def _product(left: Blade, right: Blade, squares: tuple[int, ...]) -> tuple[Blade, int]:
    """The product of two blades and its sign: each generator of `right` moves past the larger ones of `left`."""
    swaps = sum(a > b for a in left for b in right)
    sign = -1 if swaps % 2 else 1
    for generator in set(left) & set(right):
        sign *= squares[generator - 1]
    return tuple(sorted(set(left) ^ set(right))), sign


def _blade_name(blade: Blade) -> str:
    return f"e{''.join(map(str, blade))}" if blade else "1"
