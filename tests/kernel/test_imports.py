"""Imports point one way, plugins know the kernel only, and nothing heavy is loaded before it is needed."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LEVELS = [
    {"errors", "types", "workspace", "suggest"},
    {"components"},
    {"hookspecs", "hooktrace", "recipe.tables", "recipe.quality"},
    {"catalog", "kinds", "misfits"},
    {"recipe", "corpus", "speech", "inspect"},
    {"train", "report"},
    {"doctor"},
    {"testing", "toy", "toy_corpus"},
    {"cli", "__main__"},
]
"""Modules and packages of the kernel; each imports from its own level and from those before it. A module that
is not named here is a tool: it stands with `recipe` and `corpus`."""

TOOLS = 4

HEAVY = (
    "torch",
    "transformers",
    "datasets",
    "pyarrow",
    "peft",
    "accelerate",
    "soundfile",
    "torchaudio",
    "librosa",
)


def level_of(module: str) -> int:
    """The level of a dotted module below `kathrine`: the longest name that the table has."""
    parts = module.split(".")
    for end in range(len(parts), 0, -1):
        name = ".".join(parts[:end])
        for number, names in enumerate(LEVELS):
            if name in names:
                return number
    assert (ROOT / "kathrine" / f"{parts[0]}.py").is_file(), f"the package kathrine.{parts[0]} has no level"
    return TOOLS


assert "recipe" in LEVELS[TOOLS]


def imports(path: Path) -> list[tuple[str, int]]:
    """Every module that a file imports, functions included, blocks for type checkers left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            skipped |= {id(inner) for statement in node.body for inner in ast.walk(statement)}
    found = []
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            found.append((node.module, node.lineno))
            found += [(f"{node.module}.{alias.name}", node.lineno) for alias in node.names]
    return found


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(name: str) -> bool:
    path = ROOT / Path(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


KERNEL = [path for path in sorted((ROOT / "kathrine").rglob("*.py")) if "template" not in path.parts]
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))


def test_kernel_imports_point_one_way():
    wrong = []
    for path in KERNEL:
        module = module_name(path, ROOT / "kathrine")
        if not module:
            continue  # kathrine/__init__.py names what plugin authors import
        for name, line in imports(path):
            if name == "kathrine.__version__" or not name.startswith("kathrine.") or not is_module(name):
                continue
            if level_of(name.removeprefix("kathrine.")) > level_of(module):
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {module} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_the_kernel_knows_no_plugin():
    known = {path.name for path in (ROOT / "plugins").iterdir() if path.is_dir()}
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in KERNEL
        for name, line in imports(path)
        if name.split(".")[0] in known
    ]
    assert not wrong, "\n".join(wrong)


def test_a_plugin_imports_the_kernel_and_never_a_sibling():
    wrong = []
    for path in PLUGINS:
        own = path.relative_to(ROOT / "plugins").parts[0]
        for name, line in imports(path):
            package = name.split(".")[0]
            if package.startswith("kathrine_") and package != own:
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {name}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "command",
    [["--help"], ["plugins"], ["check"], ["schema"], ["plugins", "show", "lora"], ["text", "norwegian", "kl. 9"]],
)
def test_commands_leave_heavy_modules_alone(command, tmp_path):
    arguments = [*command, str(ROOT / "recipes" / "baseline.toml")] if command == ["check"] else command
    program = (
        "import sys, json; from kathrine.cli.main import run\n"
        f"code = run({arguments!r})\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "print(json.dumps([code, heavy]))"
    )
    env = {**os.environ, "KATHRINE_WORKSPACE": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=env, check=False, timeout=120
    )
    assert result.returncode == 0, result.stderr
    code, heavy = json.loads(result.stdout.strip().split("\n")[-1])
    assert heavy == []
    assert code == 0, result.stderr


def test_every_plugin_module_imports_without_heavy_modules(tmp_path):
    program = (
        "import sys, json; from kathrine.catalog import Catalog\n"
        "catalog = Catalog.load()\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "names = [plugin.name for plugin in catalog.plugins if plugin.distribution == 'kathrine']\n"
        "print(json.dumps([names, [str(failure) for failure in catalog.failures], catalog.clashes(), heavy]))"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env, check=True)
    names, failures, clashes, heavy = json.loads(result.stdout)
    assert names and failures == [] and clashes == [] and heavy == []
