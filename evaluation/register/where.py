"""The condition in `[register.who] where`: a text that becomes an expression on the columns of persons, and nothing else.

The text is read with Python's own parser and then walked over: only `and`, `or`, `not`, comparisons, `in` with a list,
names of columns, numbers and plain words pass. What is not on that list is refused at its place, so nothing here can call,
read a file, look into an object, or reach an engine as code: texts hold letters, digits and few signs only.
"""

from __future__ import annotations

import ast
import io
import operator
import re
import tokenize
from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias

import narwhals as nw

from evaluation.errors import Problem, SpecError, did_you_mean, listed
from evaluation.shown import excerpt

VALUES: Mapping[str, tuple[str, ...]] = {
    "sex": ("man", "woman", "unknown"),
    "origin": ("danish", "western", "non_western", "unknown"),
    "education": ("none_beyond_school", "vocational", "higher", "unknown"),
}
"""Columns of text whose values are known, so that a wrong word is told before anything is read."""
TEXTS = frozenset({*VALUES, "municipality"})
"""Columns of text; all others are numbers."""

_LONGEST = 1000
_DEEPEST = 20
_MOST_NODES = 300
_LARGEST = 10**9
_WORD = re.compile(r"[^\W_][\w .&/-]{0,59}")
_OPERATORS: Mapping[type[ast.cmpop], Callable[[nw.Expr, nw.Expr], nw.Expr]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_FORBIDDEN = {
    ast.Call: "a call is not allowed",
    ast.Attribute: "a point after a name is not allowed",
    ast.Subscript: "brackets after a name are not allowed",
    ast.Lambda: "a function is not allowed",
    ast.BinOp: "arithmetic is not allowed",
    ast.IfExp: "'if' is not allowed",
    ast.JoinedStr: "a text with a letter in front of it is not allowed",
    ast.NamedExpr: "an assignment is not allowed; write == to compare",
    ast.Starred: "a star is not allowed",
    ast.Dict: "braces are not allowed",
    ast.Set: "braces are not allowed; write a list in [ ]",
}
_HELP = "write comparisons of columns with values, joined by and, or, not"

Literal: TypeAlias = int | float | str


class _Refused(Exception):
    """What is wrong, and where: the line and the byte of the line, as Python's parser counts them."""

    def __init__(self, what: str, node: ast.AST | None = None, place: tuple[int, int] | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.place = place or (getattr(node, "lineno", 1), getattr(node, "col_offset", 0))


def parse(text: str, columns: Collection[str]) -> nw.Expr:
    """The condition as a boolean expression.

    Parameters
    ----------
    text : str
        Such as "sex == 'woman' and 30 <= age < 60" or "origin in ['danish', 'western']". A comparison with a missing value
        is neither true nor false, so such persons are left out, also under `not`.
    columns : collection of str
        The columns that may be named.

    Raises
    ------
    SpecError
        Anything else than the above, with the place of the first sign that is not understood.
    """
    try:
        tree = _tree(text)
        _bounded(tree)
        return _condition(tree.body, frozenset(columns))
    except _Refused as refused:
        raise SpecError(_problem(text, refused)) from None


def names_in(text: str) -> frozenset[str]:
    """The names of columns that a condition holds; empty for a text that cannot be read."""
    try:
        return frozenset(node.id for node in ast.walk(_tree(text)) if isinstance(node, ast.Name))
    except _Refused:
        return frozenset()


def _tree(text: str) -> ast.Expression:
    """The parsed text, after what Python's parser would let pass unseen was refused."""
    if len(text) > _LONGEST:
        raise _Refused(f"the condition has {len(text):,} signs; at most {_LONGEST:,} are allowed")
    if not text.strip():
        raise _Refused("the condition is empty; leave the key out where there is none")
    control = next((place for place, sign in enumerate(text) if not sign.isprintable()), None)
    if control is not None:
        raise _Refused("a line break or a sign that cannot be seen is not allowed", place=(1, _bytes(text, control)))
    # a blank in front would be an indentation; it is put back when places are told
    try:
        # the parser takes look-alike letters for plain ones and drops what follows a #
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                raise _Refused("a comment is not allowed", place=(1, _bytes(text, token.start[1])))
            if token.type == tokenize.NAME and not token.string.isascii():
                what = f"no column '{token.string[:40]}'; the names of columns are plain letters"
                raise _Refused(what, place=(1, _bytes(text, token.start[1])))
    except (tokenize.TokenError, IndentationError, SyntaxError):
        pass  # the parser below says it with its place
    indent = len(text) - len(text.lstrip())
    try:
        tree = ast.parse(text.lstrip(), mode="eval")
    except SyntaxError as error:
        offset = _bytes(text, indent + max((error.offset or 1) - 1, 0))
        what = "write == to compare" if re.search(r"(?<![=!<>])=(?!=)", _without_texts(text)) else _HELP
        raise _Refused(f"this cannot be read; {what}", place=(1, offset)) from None
    except (ValueError, RecursionError, MemoryError, OverflowError):
        raise _Refused(f"this cannot be read: it is nested too deeply, or a number is too long; {_HELP}") from None
    for node in ast.walk(tree):
        if hasattr(node, "col_offset"):
            node.col_offset += _bytes(text, indent)
    return tree


def _bounded(tree: ast.Expression) -> None:
    """Refuse what is so deep or so large that walking over it, or an engine's parser, could fail."""
    level: list[ast.AST] = [tree]
    depth = nodes = 0
    while level:
        depth += 1
        nodes += len(level)
        if depth > _DEEPEST or nodes > _MOST_NODES:
            raise _Refused(f"the condition is too long or nested too deeply; {_HELP}", level[0])
        level = [child for node in level for child in ast.iter_child_nodes(node)]


def _condition(node: ast.expr, columns: frozenset[str]) -> nw.Expr:
    """A node that is true or false."""
    if isinstance(node, ast.BoolOp):
        parts = [_condition(each, columns) for each in node.values]
        joined = parts[0]
        for part in parts[1:]:
            joined = joined & part if isinstance(node.op, ast.And) else joined | part
        return joined
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return ~_condition(node.operand, columns)
    if isinstance(node, ast.Compare):
        return _comparison(node, columns)
    if isinstance(node, (ast.Name, ast.Constant)):
        if isinstance(node, ast.Name):
            _column(node, columns)
        raise _Refused("a column or value alone is no condition; compare it, such as age >= 30", node)
    raise _Refused(_forbidden(node), node)


def _comparison(node: ast.Compare, columns: frozenset[str]) -> nw.Expr:
    """a < b, a < b < c, a in [...]: each neighbouring pair, joined by and."""
    joined: nw.Expr | None = None
    operands = [node.left, *node.comparators]
    for left, sign, right in zip(operands, node.ops, operands[1:], strict=False):
        if isinstance(sign, (ast.In, ast.NotIn)):
            pair = _membership(left, right, columns)
            pair = ~pair if isinstance(sign, ast.NotIn) else pair
        elif type(sign) in _OPERATORS:
            pair = _pair(left, sign, right, columns)
        else:
            raise _Refused("'is' is not allowed; write == or !=", left)
        joined = pair if joined is None else joined & pair
    if joined is None:
        raise _Refused(_HELP, node)
    return joined


def _pair(left: ast.expr, sign: ast.cmpop, right: ast.expr, columns: frozenset[str]) -> nw.Expr:
    """One comparison, at least one side of which is a column."""
    sides: list[nw.Expr] = []
    named = [side.id for side in (left, right) if isinstance(side, ast.Name)]
    values: list[tuple[Literal, ast.expr]] = []
    for side in (left, right):
        if isinstance(side, ast.Name):
            sides.append(nw.col(_column(side, columns)))
        else:
            value = _literal(side)
            values.append((value, side))
            sides.append(nw.lit(value))
    if not named:
        raise _Refused("this compares two values; one side has to be a column", left)
    if len({name in TEXTS for name in named}) > 1:
        raise _Refused(f"'{named[0]}' and '{named[1]}' cannot be compared: one is text, one is a number", left)
    for value, side in values:
        _fits(named[0], value, side)
    if named[0] in TEXTS and not isinstance(sign, (ast.Eq, ast.NotEq)):
        raise _Refused(f"'{named[0]}' is text; compare it with ==, != or in", left)
    return _OPERATORS[type(sign)](sides[0], sides[1])


def _membership(left: ast.expr, right: ast.expr, columns: frozenset[str]) -> nw.Expr:
    """A column in a list of values."""
    if not isinstance(left, ast.Name):
        raise _Refused("in front of 'in' stands a column", left)
    name = _column(left, columns)
    if not isinstance(right, (ast.List, ast.Tuple)) or not right.elts:
        raise _Refused("behind 'in' stands a list of values, such as [1, 2]", right)
    values = []
    for element in right.elts:
        values.append(_literal(element))
        _fits(name, values[-1], element)
    return nw.col(name).is_in(values)


def _column(node: ast.Name, columns: frozenset[str]) -> str:
    if node.id not in columns:
        known = sorted(columns)
        raise _Refused(
            f"no column '{node.id[:40]}'{did_you_mean(node.id[:40], known) or '; there are ' + listed(known, 12)}", node
        )
    return node.id


def _literal(node: ast.expr) -> Literal:
    """A number or a plain word."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        size = _literal(node.operand)
        if isinstance(size, str):
            raise _Refused("a text has no sign", node)
        return -size
    if not isinstance(node, ast.Constant):
        raise _Refused(_forbidden(node), node)
    value = node.value
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise _Refused("only numbers and texts can be compared with", node)
    if isinstance(value, str):
        if _WORD.fullmatch(value) is None:
            raise _Refused("a text may hold up to 60 letters, digits, spaces and the signs . & / - _", node)
        return value
    if not abs(value) <= _LARGEST:  # also what is not a number at all
        raise _Refused(f"a number may be at most {_LARGEST:,}, up or down", node)
    return value


def _fits(name: str, value: Literal, node: ast.expr) -> None:
    """Refuse a number for a text, a text for a number, and words that the column never holds."""
    if name in TEXTS and not isinstance(value, str):
        hint = ", such as '081'" if name == "municipality" else ""
        raise _Refused(f"'{name}' is text; write the value in quotation marks{hint}", node)
    if name not in TEXTS and isinstance(value, str):
        raise _Refused(f"'{name}' is a number; write the value without quotation marks", node)
    known = VALUES.get(name)
    if known is not None and value not in known:
        meant = did_you_mean(str(value), known) or f"; there are {listed(known)}"
        raise _Refused(f"'{name}' is never '{value}'{meant}", node)


def _forbidden(node: ast.AST) -> str:
    said = next((words for kind, words in _FORBIDDEN.items() if isinstance(node, kind)), "this is not allowed here")
    return f"{said}; {_HELP}"


def _problem(text: str, refused: _Refused) -> Problem:
    """The place as a character of the text, counted from 1."""
    line = text.splitlines()[0] if text else ""
    column = len(line.encode()[: refused.place[1]].decode(errors="ignore")) + 1
    shown = "".join(sign if sign.isprintable() else "?" for sign in line)
    return Problem(
        f"where, character {column}", refused.what, f"       | {excerpt(shown, column)}" if shown.strip() else ""
    )


def _bytes(text: str, characters: int) -> int:
    return len(text[:characters].encode())


def _without_texts(text: str) -> str:
    return re.sub(r"'[^']*'|\"[^\"]*\"", "", text)
