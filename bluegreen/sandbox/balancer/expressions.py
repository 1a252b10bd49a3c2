"""The small languages of alarms: metric math (arithmetic, comparison, FILL, IF, MIN, MAX, SUM, AVG) and alarm rules.

Not spoken: SEARCH, METRICS(), anomaly detection, Metrics Insights; they raise ValueError.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

Value = float | None
_OPERATORS: Mapping[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_FOLDS: Mapping[str, Callable[[list[float]], float]] = {
    "SUM": sum,
    "AVG": lambda values: sum(values) / len(values),
    "MIN": min,
    "MAX": max,
}


def evaluate(expression: str, values: Mapping[str, Value]) -> Value:
    """One datapoint of a metric math expression; None where data is missing or a divisor is zero.

    Raises ValueError or SyntaxError for what this does not speak.
    """
    return _value(ast.parse(expression.replace("^", "**"), mode="eval").body, values)


def composite(rule: str, states: Mapping[str, str]) -> bool:
    """A composite alarm's rule: ALARM(x), OK(x), INSUFFICIENT_DATA(x), TRUE, FALSE, AND, OR, NOT, brackets.

    ``states`` by alarm name; an alarm that does not exist counts as INSUFFICIENT_DATA.
    """
    asked = r"\b(ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*[\"']?([^\"')]+?)[\"']?\s*\)"
    plain = re.sub(asked, lambda found: str(_is(found[2], found[1], states)), rule)
    words = {"AND": "and", "OR": "or", "NOT": "not", "TRUE": "True", "FALSE": "False"}
    plain = re.sub(r"\b(AND|OR|NOT|TRUE|FALSE)\b", lambda found: words[found[1]], plain)
    return _truth(ast.parse(plain.strip(), mode="eval").body)


def _is(name: str, state: str, states: Mapping[str, str]) -> bool:
    return states.get(name.rpartition(":alarm:")[2] or name, "INSUFFICIENT_DATA") == state


def _truth(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=bool(value)):
            return value
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _truth(operand)
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_truth(each) for each in values)
        case ast.BoolOp(op=ast.Or(), values=values):
            return any(_truth(each) for each in values)
    raise ValueError(f"not an alarm rule: {ast.dump(node)}")


def _value(node: ast.AST, values: Mapping[str, Value]) -> Value:
    match node:
        case ast.Constant(value=int(number) | float(number)):
            return float(number)
        case ast.Name(id=name) if name in values:
            return values[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            found = _value(operand, values)
            return None if found is None else -found
        case ast.BinOp(left=left, op=sign, right=right):
            return _apply(sign, _value(left, values), _value(right, values))
        case ast.Compare(left=left, ops=[sign], comparators=[right]):
            return _apply(sign, _value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _call(name, arguments, values)
    raise ValueError(f"metric math the sandbox does not speak: {ast.unparse(node)}")


def _apply(sign: ast.AST, left: Value, right: Value) -> Value:
    if left is None or right is None:
        return None
    try:
        return float(_OPERATORS[type(sign)](left, right))
    except ZeroDivisionError:
        return None
    except KeyError:
        raise ValueError(f"metric math the sandbox does not speak: {sign}") from None


def _call(name: str, nodes: list[ast.expr], values: Mapping[str, Value]) -> Value:
    if name == "FILL" and len(nodes) == 2:
        found = _value(nodes[0], values)
        return _value(nodes[1], values) if found is None else found
    if name == "IF" and len(nodes) == 3:
        return _value(nodes[1] if _value(nodes[0], values) else nodes[2], values)
    items = nodes[0].elts if len(nodes) == 1 and isinstance(nodes[0], ast.List) else nodes
    if name in _FOLDS:
        present = [found for found in (_value(each, values) for each in items) if found is not None]
        return _FOLDS[name](present) if present else None
    raise ValueError(f"metric math the sandbox does not speak: {name}()")
