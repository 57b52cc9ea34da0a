"""The shape of the house: who may import whom, who may speak, and how long a file may get."""

from __future__ import annotations

import ast
import functools
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "evaluation"
FILES = sorted(PACKAGE.rglob("*.py"))

LONGEST = 450
"""Lines. A longer file has a second subject in it."""


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), filename=str(path))


@functools.cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree(path)))


@functools.cache
def calls(path: Path) -> tuple[tuple[int, str], ...]:
    """Line and written name of everything a file calls."""
    return tuple((node.lineno, ast.unparse(node.func)) for node in nodes(path) if isinstance(node, ast.Call))


@functools.cache
def imported(path: Path) -> frozenset[str]:
    """The top-level packages a file imports, at its head or inside a function."""
    found = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return frozenset(found)


def at(path: Path, line: int, what: str) -> str:
    return f"{path.relative_to(ROOT)}:{line}: {what}"


def test_the_files_are_found():
    """Every other test here loops over them: an empty loop would prove nothing."""
    assert len(FILES) > 150
    assert PACKAGE / "cli.py" in FILES
    assert imported(PACKAGE / "numerics.py") >= {"numpy", "scipy", "evaluation"}


def test_imports_run_one_way():
    """The contracts in pyproject.toml, kept by import-linter."""
    command = shutil.which("lint-imports", path=str(Path(sys.executable).parent)) or shutil.which("lint-imports")
    if command is None:
        pytest.skip("import-linter is not installed")
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_the_command_line_prints_or_exits():
    forbidden = {"print", "exit", "quit", "sys.exit", "os._exit", "input", "breakpoint", "click.echo", "click.secho"}
    found = []
    for path in FILES:
        if path == PACKAGE / "cli.py":
            continue
        found += [at(path, line, called) for line, called in calls(path) if called in forbidden or called.startswith(("sys.stdout", "sys.stderr"))]
        raised = [node for node in nodes(path) if isinstance(node, ast.Raise) and node.exc is not None]
        found += [at(path, node.lineno, "raises SystemExit") for node in raised if "SystemExit" in ast.unparse(node.exc)]
    assert not found


def test_files_have_one_subject():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_drawing_and_templates_live_in_the_report():
    drawing = [PACKAGE / "report" / name for name in ("figures", "svg.py", "converter.py")]
    found = []
    for path in FILES:
        if not any(path == home or home in path.parents for home in drawing):
            found += [at(path, 1, f"imports {name}") for name in imported(path) & {"altair", "vl_convert"}]
        if PACKAGE / "report" not in path.parents and "jinja2" in imported(path):
            found.append(at(path, 1, "imports jinja2"))
    assert not found


def test_no_copyleft_or_test_only_package_is_imported():
    """Peers are opponents in benchmarks and never dependencies; copyleft packages are not imported at all."""
    peers = {"diff_diff", "pyfixest", "synthdid", "pysyncon", "mlsynth", "differences", "lwdid", "scpi_pkg", "quadprog", "cvxopt"}
    forbidden = peers | {"pytest", "hypothesis", "polars"}
    assert not [at(path, 1, f"imports {name}") for path in FILES for name in imported(path) & forbidden]


def test_no_global_switches_and_no_shared_random_state():
    """They would change the reader's whole session."""
    switches = {"np.random.seed", "random.seed", "alt.theme.enable", "pd.set_option", "np.seterr", "warnings.simplefilter"}
    assert not [at(path, line, called) for path in FILES for line, called in calls(path) if called in switches]


def test_every_module_and_public_function_says_what_it_is():
    found = []
    for path in FILES:
        module = tree(path)
        if not module.body or path.name == "_version.py":  # which the build reads, and holds one line
            continue
        if not ast.get_docstring(module):
            found.append(at(path, 1, "no module docstring"))
        public = [node for node in module.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")]
        found += [at(path, node.lineno, f"{node.name} has no docstring") for node in public if not ast.get_docstring(node)]
    assert not found


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_importing_the_package_imports_nothing_heavy():
    """`import evaluation` and `evaluate --help` answer at once because everything is imported when first used."""
    heavy = {"numpy", "pandas", "scipy", "pydantic", "altair", "vl_convert", "statsmodels", "linearmodels", "pyarrow", "jinja2"}
    loaded = run("import evaluation, sys; print(' '.join(sys.modules))").split()
    assert not heavy & set(loaded)


def test_help_imports_nothing_heavy():
    loaded = run(
        "import sys\nfrom evaluation.cli import run\nassert run(['--help']) == 0\nprint(' '.join(sys.modules))"
    ).split()
    assert not {"numpy", "pandas", "scipy", "altair", "vl_convert", "statsmodels", "linearmodels", "pyarrow"} & set(loaded)
