"""Numbers written as arithmetic, such as `1/127.5`, without `eval`."""

import ast
import operator
import re
from collections.abc import Callable
from typing import Any

_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
PATTERN = r"[-+*/(). 0-9eE]{1,200}"
"""What arithmetic is written with; a necessary condition, not a sufficient one."""


def evaluate_number(value: Any) -> Any:
    """Turn text of numbers, + - * / and brackets into a number; anything but text passes through.

    Raises:
        ValueError: the text is something else or divides by zero, or the value is a bool, which is no number.
    """
    if isinstance(value, bool):
        raise ValueError("expected a number, not true or false")
    if not isinstance(value, str):
        return value
    try:
        return _evaluate(value)
    except ZeroDivisionError:
        raise ValueError("divides by zero") from None
    except (SyntaxError, TypeError, RecursionError, OverflowError):
        raise ValueError("expected a number or arithmetic on numbers such as 1/127.5") from None


def _evaluate(text: str) -> float:
    if re.fullmatch(PATTERN, text) is None:
        raise TypeError
    return _compute(ast.parse(text.strip(), mode="eval").body)


def _compute(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_compute(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _compute(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_compute(left), _compute(right))
    raise TypeError
