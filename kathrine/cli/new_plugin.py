"""`kathrine plugins new NAME`: a package with the smallest working component of each kind that is asked for.

What is written comes from the files in `template`, which are themselves code that is linted: they say `newname`,
`NewName` and `kathrine-newname` where the plugin's own name belongs.
"""

from __future__ import annotations

import csv
import keyword
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from kathrine.catalog import KINDS, Catalog, Failure, Plugin
from kathrine.errors import KathrineError
from kathrine.kinds import NAME_PATTERN
from kathrine.recipe.folders import builtin_folder
from kathrine.shell import environment, program
from kathrine.suggest import did_you_mean

TEMPLATE = Path(__file__).parent / "template"
SMOKE = "# ---- smoke\n"
"""Divides a part of the recipe: what follows belongs to the smoke profile, at the end of the file."""
MODULES = {
    "source": ("NewNameSource", "kathrine_sources"),
    "language": ("NewNameLanguage", "kathrine_languages"),
    "strategy": ("NewNameStrategy", "kathrine_strategies"),
    "loss": ("NewNameLoss", "kathrine_losses"),
    "curriculum": ("NewNameCurriculum", "kathrine_curricula"),
    "metric": ("NewNameMetric", "kathrine_metrics"),
    "exporter": ("NewNameExporter", "kathrine_exporters"),
    "model": ("NewNameFamily", "kathrine_models"),
    "tracker": ("NewNameTracker", "kathrine_trackers"),
}
"""Kind -> the class in its module, and the hook that brings it. The order is that of the recipe and the README."""
BROUGHT = {
    "source": 'source `newname` (`[[data]]` with `source = "newname"`): recordings in folders, with their texts',
    "language": "language `newname` (`[language.newname]`): how written text is spoken",
    "strategy": "strategy `newname` (`[strategy.newname]`): trains weights by name",
    "loss": "loss `newname` (`[loss.newname]`): label smoothing",
    "curriculum": "curriculum `newname` (`[curriculum.newname]`): even shares, then shares by size",
    "metric": "metric `newname` (`[evaluate.newname]`): letters a second",
    "exporter": "exporter `newname` (`[export.newname]`): a table of what was trained",
    "model": "model family `newname` (`[model.newname]`): a toy network to start from",
    "tracker": "tracker `newname` (`[track.newname]`): a table of all steps",
}
DEFAULT_KINDS = ("source", "language")
CLIPS = 6
"""Recordings of each speaker that a new source gets to try it on."""
SAMPLES = """
[The samples](kathrine_newname/recipes/samples) were made by a speech synthesiser for kathrine's tests, in Norwegian,
and are free (CC0): put recordings of your own in their place.
"""


@dataclass(frozen=True)
class Names:
    """What a plugin is called. plugin: in recipes and in `kathrine plugins`. Package and distribution have the prefix
    by which plugins are found in a package index."""

    plugin: str

    @property
    def package(self) -> str:
        return f"kathrine_{self.plugin}"

    @property
    def distribution(self) -> str:
        return self.package.replace("_", "-")

    @property
    def prefix(self) -> str:
        """What its classes begin with."""
        return "".join(word.capitalize() for word in self.plugin.split("_"))

    def put_into(self, text: str) -> str:
        """A template's text with these names."""
        text = text.replace("kathrine-newname", self.distribution)
        return text.replace("newname", self.plugin).replace("NewName", self.prefix)


def names_of(name: str) -> Names:
    """The names that follow from what somebody typed: `danish`, `kathrine-danish` and `kathrine_danish` are one."""
    plain = name.strip().replace("-", "_")
    return Names(plain.removeprefix("kathrine_"))


def kinds_of(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The kinds that are asked for, in their own order, and a sentence for each word that is none. `all` is all."""
    asked = [word.strip() for text in words for word in text.split(",") if word.strip()]
    wrong = [
        f"there is no kind '{word}'{did_you_mean(word, MODULES)}; kinds: {', '.join(MODULES)}, or all"
        for word in dict.fromkeys(asked)
        if word not in MODULES and word != "all"
    ]
    wanted = set(MODULES) if "all" in asked else set(asked or DEFAULT_KINDS)
    return [kind for kind in MODULES if kind in wanted], wrong


def problems(names: Names, kinds: Collection[str], folder: Path, catalog: Catalog) -> list[str]:
    """Everything that stands against a new plugin of this name in this folder."""
    found, plugin = [], names.plugin
    if not NAME_PATTERN.fullmatch(plugin):
        found.append(f"'{plugin}' is no name of a plugin: lower-case letters, digits and _, a letter first")
    elif plugin.endswith("_") or "__" in plugin:
        found.append(f"'{plugin}' is no name of a package: single _ between words, none at the end")
    elif keyword.iskeyword(plugin) or plugin == "kathrine":
        found.append(f"'{plugin}' is a word of its own in {'Python' if keyword.iskeyword(plugin) else 'recipes'}")
    others: list[Plugin | Failure] = [*catalog.plugins, *catalog.failures]
    for other in others:
        if other.name == plugin:
            found.append(f"the plugin name '{plugin}' is taken by {other.distribution} {other.version}".rstrip())
        elif other.distribution.lower().replace("_", "-") == names.distribution:
            found.append(f"the distribution {names.distribution} is installed already, with plugin '{other.name}'")
    if plugin in catalog.disabled:
        found.append(f"the plugin name '{plugin}' is taken by one that KATHRINE_DISABLE leaves out")
    for kind in kinds:
        if plugin in catalog.names(kind):
            owners = {owner.origin for other, _, owner in catalog.find(plugin) if other == kind}
            found.append(f"there is a {kind} '{plugin}' already, of plugin {' and '.join(sorted(owners))}")
    if folder.exists() or folder.is_symlink():
        found.append(f"{folder} exists already: name another place with --folder")
    elif not folder.absolute().parent.is_dir():
        found.append(f"{folder.absolute().parent} is no folder")
    return list(dict.fromkeys(found))


def write_plugin(names: Names, kinds: Sequence[str], folder: Path) -> list[Path]:
    """Write a complete package into a new folder.

    Given: kinds in the order of MODULES; a folder that does not exist. Returns: the files, relative to it. Nothing is
    there under its name before everything is.
    """
    folder = folder.absolute()
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        texts = _texts(names, kinds)
        for place, text in texts.items():
            path = partial / names.put_into(place)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(names.put_into(text), encoding="utf-8")
        if "source" in kinds:
            _write_samples(partial / names.package / "recipes" / "samples")
        partial.chmod(0o755)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def _texts(names: Names, kinds: Sequence[str]) -> dict[str, str]:
    """Every text file of the package by its place, with the template's names still in both."""
    from kathrine import __version__

    version = ".".join(__version__.split(".")[:2])
    brought = "\n".join(f"- {BROUGHT[kind]}" for kind in kinds)
    samples = SAMPLES if "source" in kinds else ""
    texts = {
        "pyproject.toml": _read("project.toml").replace("KATHRINE_VERSION", version),
        ".gitignore": _read("gitignore"),
        "README.md": _read("README.md").replace("COMPONENTS", brought).replace("SAMPLES", samples),
        "kathrine_newname/__init__.py": _package(names, kinds),
        "kathrine_newname/recipes/newname.toml": _recipe(kinds),
        "tests/test_recipe.py": _read("tests/test_recipe.py"),
    }
    for kind in kinds:
        texts[f"kathrine_newname/{kind}.py"] = _read(f"{kind}.py")
        texts[f"tests/test_{kind}.py"] = _read(f"tests/test_{kind}.py")
    return texts


def _read(name: str) -> str:
    return (TEMPLATE / name).read_text(encoding="utf-8")


def _package(names: Names, kinds: Sequence[str]) -> str:
    """`__init__.py`: the hooks."""
    lines = ['"""newname, a plugin for kathrine: its hooks. Each component stands in the module of its kind."""', ""]
    lines += ["from pathlib import Path", "", "import kathrine", ""]
    lines += [f"from kathrine_newname.{kind} import {MODULES[kind][0]}" for kind in sorted(kinds)]
    for kind in kinds:
        made, hook = MODULES[kind]
        base = KINDS[kind][0].__name__
        lines += ["", "", "@kathrine.hookimpl", f"def {hook}() -> list[type[kathrine.{base}]]:", f"    return [{made}]"]
    lines += ["", "", "@kathrine.hookimpl", "def kathrine_recipes() -> list[Path]:"]
    lines += ['    return [Path(__file__).parent / "recipes"]', ""]
    return "\n".join(lines)


def _recipe(kinds: Sequence[str]) -> str:
    """The recipe: first what every run has, then the smoke profile."""
    parts = [_read(f"recipe/{kind}.toml").split(SMOKE) for kind in kinds]
    weights = 'weights = ["talker.*"]   # the toy network has no norms\n' if "model" in kinds else ""
    body = "".join(main.rstrip() + "\n" for main, _ in parts).replace("WEIGHTS\n", weights).replace("WEIGHTS", weights)
    smoke = "".join("\n" + text.strip() + "\n" for _, text in parts if text.strip())
    return _read("recipe/head.toml") + body + _read("recipe/smoke.toml") + smoke


def _write_samples(folder: Path) -> None:
    """Some of the bundled recordings, as the new source reads them: a folder a speaker, a text beside each."""
    bundled = builtin_folder() / "samples" / "nb-librivox"
    counts: dict[str, int] = {}
    with (bundled / "metadata.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            speaker = re.sub(r"\W+", "_", row["speaker_name"].lower())
            counts[speaker] = counts.get(speaker, 0) + 1
            if counts[speaker] > CLIPS:
                continue
            place = folder / speaker / f"{counts[speaker]:04d}{Path(row['file_name']).suffix}"
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundled / row["file_name"], place)
            place.with_suffix(".txt").write_text(row["text"] + "\n", encoding="utf-8")


def next_commands(names: Names, folder: Path) -> list[str]:
    """What to type next: install it, test it, run its recipe."""
    python, place = shlex.quote(sys.executable), shlex.quote(str(folder))
    return [
        f"{python} -m pip install --editable {place}",
        f"{python} -m pytest {place}",
        f"{environment()}{program()} run {names.plugin}:{names.plugin} --profile smoke",
    ]


@click.command("new", short_help="Write a package with working components to start from.")
@click.argument("name")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="KIND,...",
    help=f"What it brings: {', '.join(MODULES)}, or all. Default: {','.join(DEFAULT_KINDS)}.",
)
@click.option("--folder", metavar="FOLDER", help="Where it goes; default kathrine-NAME in this folder.")
def command(name: str, kinds: tuple[str, ...], folder: str | None) -> None:
    """Write a complete package for the plugin NAME: the smallest working component of each kind, a recipe that runs
    offline, tests and a README."""
    names = names_of(name)
    place = Path(folder or names.distribution).expanduser()
    wanted, wrong = kinds_of(kinds)
    wrong += problems(names, wanted, place, Catalog.load())
    if wrong:
        raise KathrineError(f"kathrine plugins new {name}: nothing was written", "\n  ".join(wrong))
    files = write_plugin(names, wanted, place)
    click.echo(f"{place}: plugin '{names.plugin}' with {_and(wanted)}")
    shown = [path for path in files if "samples" not in path.parts]
    for path in shown:
        click.echo(f"  {path}")
    if len(shown) < len(files):
        samples = Path(names.package) / "recipes" / "samples"
        click.echo(f"  {samples}/ ({len(files) - len(shown)} files: recordings to try it on, with their texts)")
    click.echo("next:")
    for line in next_commands(names, place):
        click.echo(f"  {line}")


def _and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
