"""What is wrong with a plugin is said with its place and what to write instead, in `kathrine plugins` and when a recipe
asks for it; other plugins keep working. All plugins here are modules on disk."""

import io
import json
import re
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from plugin_makers import install

from kathrine.catalog import Catalog
from kathrine.cli.main import run
from kathrine.misfits import HOOKS, install_line

HEAD = """import kathrine
from pathlib import Path


class Words(kathrine.GenericLanguage):
    name = "words"


class Watch(kathrine.Tracker):
    name = "watch"

    @kathrine.hookimpl
    def kathrine_step_end(self, report):
        pass


"""
HOOK = "@kathrine.hookimpl\ndef kathrine_languages():\n    return [Words]\n"
TRACKERS = HOOK + "\n\n@kathrine.hookimpl\ndef kathrine_trackers():\n    return [Watch]\n"
EVENT = "    @kathrine.hookimpl\n    def kathrine_step_end(self, report):"
BARE = "class Bare(kathrine.Strategy):\n    name = 'bare'\n    def claim(self, parameters, facts): ...\n"
BARE += "    def apply(self, model, claim, seed): ...\n    def off(self): ...\n"


def event(text: str) -> str:
    """The plugin with another event hook on its tracker."""
    return HEAD.replace(EVENT, text) + TRACKERS


CASES = {
    "marker": (
        HEAD + HOOK.replace("@kathrine.hookimpl\n", ""),
        ["_CASE.py:17: kathrine_languages lacks @kathrine.hookimpl, so it would never be called: write that above it"],
    ),
    "component_marker": (
        event("    def kathrine_step_end(self, report):"),
        ["_CASE.py:12: kathrine_step_end lacks @kathrine.hookimpl, so it would never be called: write that above it"],
    ),
    "argument": (
        event("    @kathrine.hookimpl\n    def kathrine_step_end(self, reports):"),
        [
            "_CASE.py:12: kathrine_step_end takes 'reports', which this hook does not give (did you mean 'report'?); "
            "it gives run, report"
        ],
    ),
    "argument_of_a_list": (
        HEAD + HOOK.replace("()", "(catalog)"),
        ["_CASE.py:17: kathrine_languages takes 'catalog', which this hook does not give; it gives none"],
    ),
    "stars": (
        event("    @kathrine.hookimpl\n    def kathrine_step_end(self, **event):"),
        ["takes **event, which stays empty: a hook is given what it names; it gives run, report"],
    ),
    "keyword_only": (
        event("    @kathrine.hookimpl\n    def kathrine_step_end(self, *, report):"),
        ["takes 'report' by keyword only and would not get it: leave out the *"],
    ),
    "default": (
        event("    @kathrine.hookimpl\n    def kathrine_step_end(self, report=None):"),
        ["has a default for 'report' and would never get it: leave out the default"],
    ),
    "unknown": (
        HEAD + HOOK.replace("kathrine_languages", "kathrine_language"),
        ["_CASE.py:17: there is no hook kathrine_language (did you mean 'kathrine_languages'?), so it would never be"],
    ),
    "misspelt_prefix": (
        HEAD + HOOK + HOOK.replace("kathrine_languages", "katherine_sources"),
        ["there is no hook katherine_sources (did you mean 'kathrine_sources'?), so it would never be called; hooks:"],
    ),
    "helper": (
        HEAD + HOOK + "def kathrine_things():\n    pass\n",
        [
            "_CASE.py:20: kathrine_things is no hook",
            "; names that begin with kathrine_ are those of hooks: rename it",
        ],
    ),
    "place_of_a_list": (
        event("    @kathrine.hookimpl\n    def kathrine_sources(self):"),
        ["_CASE.py:12: kathrine_sources stands on a component; it belongs in the plugin's module"],
    ),
    "class": (
        HEAD + HOOK.replace("[Words]", "Words"),
        ["_CASE.py:17: kathrine_languages returned the class Words: return a list, [Words]"],
    ),
    "nothing": (
        HEAD + HOOK.replace("return [Words]", "[Words]"),
        ["_CASE.py:17: kathrine_languages returned nothing: write `return [MyClass]`, or leave the hook out"],
    ),
    "text": (HEAD + HOOK.replace("[Words]", "'words'"), ["kathrine_languages returned 'words': return a list"]),
    "folder": (
        HEAD + "@kathrine.hookimpl\ndef kathrine_recipes():\n    return Path(__file__).parent\n",
        ["kathrine_recipes returned PosixPath(", "): return a list, [Path(...)]"],
    ),
    "instance": (
        HEAD + HOOK.replace("[Words]", "[Words()]"),
        ["_CASE.py:17: kathrine_languages gave an instance of Words: give the class, Words without ()"],
    ),
    "no_component": (
        HEAD + HOOK.replace("[Words]", "['words']"),
        ["kathrine_languages gave 'words', which is no component: give subclasses of kathrine.Language"],
    ),
    "another_kind": (
        HEAD + HOOK.replace("[Words]", "[Watch]"),
        ["gave Watch, not a subclass of Language; it is a tracker: return it from kathrine_trackers"],
    ),
    "any_class": (
        HEAD + HOOK.replace("[Words]", "[dict]"),
        ["gave dict, not a subclass of Language; write class dict(kathrine.Language)"],
    ),
    "no_name": (
        HEAD.replace('    name = "watch"\n', "") + TRACKERS,
        ['_CASE.py:9: tracker Watch: it has no `name`: write name = "..." in the class'],
    ),
    "no_options": (
        HEAD + BARE + "@kathrine.hookimpl\ndef kathrine_strategies():\n    return [Bare]\n",
        ["strategy Bare: it has no `Options` of its own", "class MyOptions(kathrine.StrategyOptions)"],
    ),
    "options_instance": (
        HEAD.replace('    name = "watch"\n', '    name = "watch"\n    Options = kathrine.Options()\n') + TRACKERS,
        ["tracker Watch: its `Options` is an instance: give the class, Options without ()"],
    ),
    "several": (
        HEAD.replace('    name = "watch"\n', "") + TRACKERS.replace("[Words]", "Words"),
        ["returned the class Words", "tracker Watch: it has no `name`"],
    ),
    "raises": (
        HEAD + HOOK.replace("return [Words]", "return [Words][1]"),
        ["_CASE.py:19: IndexError: list index out of range (raised by kathrine_languages)"],
    ),
    "import": (
        "import os\nimport a_module_nobody_has\n",
        [
            "_CASE.py:2: ModuleNotFoundError: No module named 'a_module_nobody_has': it needs the package "
            "'a_module_nobody_has'; pip install a_module_nobody_has (the package may have another name), and name it "
            "in the dependencies of case-import"
        ],
    ),
    "own_module": (
        "import case_own_module_bad_own_module.parts\n",
        [
            "_CASE.py:1: ModuleNotFoundError: it imports its own module ",
            "_own_module.parts, which is not there: mend the name, or install case-own-module again",
        ],
    ),
    "another_version": (
        "from kathrine import Sources\n",
        [
            "_CASE.py:1: ImportError: cannot import name 'Sources' from 'kathrine'; this is kathrine ",
            "that fits the other",
        ],
    ),
    "kernel_module": ("import kathrine.corpora\n", ["No module named 'kathrine.corpora'; this is kathrine "]),
    "syntax": ("x = 1\ndef broken(:\n", ["_CASE.py:2: SyntaxError: "]),
}


RECIPE = """extends = "kathrine:base"
[track.watch_this]
[language.norwegian]
enabled = false
[language.words]
"""


def output(*arguments: str) -> tuple[int, str]:
    """Exit code of a command, and all that it printed."""
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        code = run(list(arguments))
    return code, printed.getvalue()


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What the catalogue, `kathrine plugins` and `kathrine check` say with all of these plugins installed, and one that
    works."""
    folder = tmp_path_factory.mktemp("site")
    for case, (text, _) in CASES.items():
        install(folder, f"case-{case.replace('_', '-')}", **{f"bad_{case}": text})
    install(folder, "case-good", good=HEAD + HOOK)
    recipe = folder / "mine.toml"
    recipe.write_text(RECIPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("COLUMNS", "300")
        failures = {one.name: one for one in Catalog.load().failures if one.distribution.startswith("case-")}
        return failures, output("plugins"), output("check", str(recipe))


@pytest.mark.parametrize("case", CASES)
def test_it_is_said_with_its_place_and_remedy(case, said):
    failures, (listed, listing), (checked, told) = said
    failure = failures[f"bad_{case}"]
    for sentence in CASES[case][1]:
        assert sentence.replace("_CASE", f"bad_{case}") in failure.reason
    assert listed == 0 and all(problem in listing for problem in failure.problems)
    name = f"case-{case.replace('_', '-')}"
    assert checked == 2
    assert f"plugin 'bad_{case}' of {name} 1.0 failed to load: {failure.reason}" in " ".join(told.split())


def test_other_plugins_keep_working(said):
    failures, (_, listing), (_, told) = said
    assert set(failures) == {f"bad_{case}" for case in CASES}
    assert "good" in listing and "words" in listing
    assert "mine.toml:2: track.watch_this: unknown tracker" in told and "language.words" not in told


def test_all_that_is_wrong_is_listed_and_in_json(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(install(tmp_path, "several-wrong", bad=CASES["several"][0]))
    assert run(["plugins", "--json"]) == 0
    (failure,) = [one for one in json.loads(capsys.readouterr().out)["failures"] if one["name"] == "bad"]
    assert len(failure["problems"]) == 2 and failure["reason"] == "; ".join(failure["problems"])
    assert run(["plugins"]) == 0
    shown = capsys.readouterr().out
    assert "plugin 'bad' of several-wrong 1.0 failed to load:\n  " in shown


def test_a_clash_names_places_and_what_to_leave_out(tmp_path, monkeypatch, capsys):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.syspath_prepend(install(tmp_path / name, f"{name}-dist", **{f"clash_{name}": HEAD + HOOK}))
    assert run(["plugins"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    found = re.search(r"two plugins bring the language 'words': (.*), or rename one", told)
    assert found is not None
    assert "one_dist_clash_one.py:5" in found[1] and "two_dist_clash_two.py:5" in found[1]
    (left_out,) = re.findall(r"leave one out with KATHRINE_DISABLE=(\w+)", found[1])
    monkeypatch.setenv("KATHRINE_DISABLE", left_out)
    assert Catalog.load().component("language", "words").name == "words"


REQUIRES = ["numpy>=2", "praat-parselmouth>=0.4 ; extra == 'pitch'", "Faster_Whisper>=1.2; python_version > '3'"]


class Distribution:
    name = "my-plugin"
    requires = REQUIRES


def test_what_to_install_follows_from_what_the_distribution_requires():
    assert install_line("praat_parselmouth", Distribution()) == "pip install 'my-plugin[pitch]'"
    assert install_line("faster_whisper", Distribution()) == "pip install 'Faster_Whisper>=1.2'"
    assert install_line("other", None) == "pip install other (the package may have another name)"


def test_a_missing_requirement_of_an_installed_plugin_is_named(tmp_path, monkeypatch):
    folder = install(tmp_path, "needs-more", bad="import a_module_nobody_has\n")
    metadata = folder / "needs_more-1.0.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text() + "Requires-Dist: a-module-nobody-has>=3; extra == 'more'\n")
    monkeypatch.syspath_prepend(folder)
    (failure,) = [one for one in Catalog.load().failures if one.name == "bad"]
    assert "it needs the package 'a_module_nobody_has'; pip install 'needs-more[more]'" in failure.reason


def test_an_entry_point_without_its_module(tmp_path, monkeypatch):
    folder = install(tmp_path, "gone-dist", bad="x = 1\n")
    (folder / "gone_dist_bad.py").unlink()
    monkeypatch.syspath_prepend(folder)
    (failure,) = [one for one in Catalog.load().failures if one.name == "bad"]
    assert "the entry point names the module gone_dist_bad, which is not there" in failure.reason
    assert "install gone-dist again" in failure.reason


def test_the_table_of_hooks_is_that_of_the_specification():
    text = Path(__import__("kathrine.hookspecs", fromlist=["x"]).__file__).read_text(encoding="utf-8")
    assert list(HOOKS) == re.findall(r"@hookspec\ndef (\w+)", text)
