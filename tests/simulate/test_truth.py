"""The truth is written and never read: an evaluation that could read it would evaluate nothing."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "evaluation"
HOME = PACKAGE / "simulate"
MODULES = sorted(PACKAGE.rglob("*.py"))


def docstrings(tree: ast.AST) -> set[int]:
    """The ids of nodes that are docstrings."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            for statement in node.body:
                if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                    found.add(id(statement.value))
    return found


def touched(tree: ast.AST) -> list[str]:
    """Where a module imports the truth or names its folder."""
    texts, found = docstrings(tree), []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [f"{node.lineno}: imports it" for alias in node.names if alias.name.startswith("evaluation.simulate.truth")]
        if isinstance(node, ast.ImportFrom) and (
            node.module == "evaluation.simulate.truth"
            or (node.module == "evaluation.simulate" and any(alias.name == "truth" for alias in node.names))
        ):
            found.append(f"{node.lineno}: imports it")
        told = isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts
        if told and "truth" in node.value.replace("\\", "/").split("/"):
            found.append(f"{node.lineno}: names its folder")
    return found


def test_nobody_names_or_imports_the_truth():
    found = {str(path.relative_to(PACKAGE)): touched(ast.parse(path.read_text("utf-8"))) for path in MODULES}
    assert len(found) > 150
    assert found.pop("simulate/__init__.py"), "the simulator hands it to its writer"
    found.pop("simulate/truth.py")
    assert {name: places for name, places in found.items() if places} == {}


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
    for path in MODULES:
        if HOME in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("evaluation.simulate."):
                assert node.module == "evaluation.simulate.place", f"{path.name}, line {node.lineno}"
