"""The shape of the house: who may import whom, who may speak, and how long a file may get."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "evaluation"
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = [pytest.param(path, id=str(path.relative_to(ROOT))) for path in FILES]

LONGEST = 450
"""Lines. A longer file has a second subject in it."""


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def imported(path: Path) -> set[str]:
    """The top-level packages a file imports, at its head or inside a function."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_imports_run_one_way():
    """The contracts in pyproject.toml, kept by import-linter."""
    command = shutil.which("lint-imports", path=str(Path(sys.executable).parent)) or shutil.which("lint-imports")
    if command is None:
        pytest.skip("import-linter is not installed")
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", MODULES)
def test_only_the_command_line_prints_or_exits(path):
    if path == PACKAGE / "cli.py":
        return
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"print", "exit", "quit", "sys.exit", "os._exit", "input", "breakpoint", "click.echo", "click.secho"}, f"line {node.lineno}: {called}"
            assert not called.startswith(("sys.stdout", "sys.stderr")), f"line {node.lineno}: {called}"
        if isinstance(node, ast.Raise) and node.exc is not None:
            assert "SystemExit" not in ast.unparse(node.exc), f"line {node.lineno}: raises SystemExit"


@pytest.mark.parametrize("path", MODULES)
def test_files_have_one_subject(path):
    n_lines = len(path.read_text("utf-8").splitlines())
    assert n_lines <= LONGEST


@pytest.mark.parametrize("path", MODULES)
def test_drawing_and_templates_live_in_the_report(path):
    drawing = [PACKAGE / "report" / name for name in ("figures", "svg.py", "converter.py")]
    if not any(path == home or home in path.parents for home in drawing):
        assert not imported(path) & {"altair", "vl_convert"}
    if PACKAGE / "report" not in path.parents:
        assert "jinja2" not in imported(path)


@pytest.mark.parametrize("path", MODULES)
def test_no_copyleft_or_test_only_package_is_imported(path):
    """Peers are opponents in benchmarks and never dependencies; copyleft packages are not imported at all."""
    peers = {"diff_diff", "pyfixest", "synthdid", "pysyncon", "mlsynth", "differences", "lwdid", "scpi_pkg", "quadprog", "cvxopt"}
    assert not imported(path) & (peers | {"pytest", "hypothesis", "polars"})


@pytest.mark.parametrize("path", MODULES)
def test_no_global_switches_and_no_shared_random_state(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"np.random.seed", "random.seed", "alt.theme.enable", "pd.set_option", "np.seterr", "warnings.simplefilter"}, (
                f"line {node.lineno}: {called} changes the reader's whole session"
            )


@pytest.mark.parametrize("path", MODULES)
def test_every_module_and_public_function_says_what_it_is(path):
    module = tree(path)
    if not module.body or path.name == "_version.py":  # which the build reads, and holds one line
        return
    assert ast.get_docstring(module), "no module docstring"
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"line {node.lineno}: {node.name} has no docstring"


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
