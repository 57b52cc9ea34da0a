"""The truth is written and never read: an evaluation that could read it would evaluate nothing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "evaluation"
HOME = PACKAGE / "simulate"
MODULES = [pytest.param(path, id=str(path.relative_to(PACKAGE))) for path in sorted(PACKAGE.rglob("*.py"))]


def docstrings(tree: ast.AST) -> set[int]:
    """The ids of nodes that are docstrings."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            for statement in node.body:
                if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                    found.add(id(statement.value))
    return found


@pytest.mark.parametrize("path", MODULES)
def test_nobody_names_or_imports_the_truth(path):
    if path in (HOME / "__init__.py", HOME / "truth.py"):
        return
    tree = ast.parse(path.read_text("utf-8"))
    texts = docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert not any(alias.name.startswith("evaluation.simulate.truth") for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.module != "evaluation.simulate.truth", f"line {node.lineno}"
            assert not (node.module == "evaluation.simulate" and any(alias.name == "truth" for alias in node.names))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts:
            parts = node.value.replace("\\", "/").split("/")
            assert "truth" not in parts, f"line {node.lineno} names the folder of the truth"


def test_the_writer_of_the_truth_only_writes():
    tree = ast.parse((HOME / "truth.py").read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert not called.endswith((".read_text", ".read_bytes", ".reader", ".DictReader", ".glob", ".iterdir")), (
                called
            )
            if called.endswith("open"):
                assert ast.unparse(node.args[0]) == "'w'"


def test_the_simulator_hands_the_truth_to_its_writer_only():
    tree = ast.parse((HOME / "__init__.py").read_text("utf-8"))
    uses = [
        ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call) and "'truth'" in ast.unparse(node)
    ]
    assert uses == ["write_truth(folder / 'truth', parameters, drawn, totals, persons, seed)"]


def test_only_the_simulator_knows_the_simulator():
    """What evaluates may ask for a register to be written, and knows nothing of how."""
    for parameter in MODULES:
        path = parameter.values[0]
        if HOME in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("evaluation.simulate."):
                assert node.module == "evaluation.simulate.place", f"{path.name}, line {node.lineno}"
