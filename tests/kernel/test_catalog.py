"""The catalogue: what it finds, what it refuses, and what it says about it."""

import pytest
from plugin_makers import TOY, install, module_of, toy_catalog

from kathrine import Tracker, hookimpl
from kathrine.catalog import KINDS, Catalog, hook_manager, run_manager
from kathrine.errors import KathrineError
from kathrine.kinds import EVENT_HOOKS

HEAD = "import kathrine\nfrom kathrine.types import Stage\n"
SMALL = (
    HEAD
    + """
class Plain(kathrine.Curriculum):
    name = "plain"
    def plan(self, data):
        return ()

@kathrine.hookimpl
def kathrine_curricula():
    return [Plain]
"""
)


def test_installed_plugins_are_found_by_entry_point(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(install(tmp_path, "toy-found", "3.1", toy_found=TOY))
    catalog = Catalog.load()
    (plugin,) = [plugin for plugin in catalog.plugins if plugin.name == "toy_found"]
    assert (plugin.distribution, plugin.version) == ("toy-found", "3.1")
    assert ("strategy", "whole") in plugin.components
    assert catalog.component("strategy", "whole").name == "whole"
    assert catalog.owner("source", "toy_source") == plugin


METRIC = (
    HEAD
    + """
class Loud(kathrine.Metric):
    name = "loud"
    def score(self, wave, sample_rate, text, reference):
        return {}

@kathrine.hookimpl
def kathrine_metrics():
    return iter([Loud])
"""
)


def test_components_of_every_kind_are_collected(tmp_path):
    catalog = toy_catalog(tmp_path)
    catalog.add(module_of(METRIC, tmp_path, "metric_module"), "loudness")
    assert {kind for kind in KINDS if catalog.names(kind)} == set(KINDS)
    assert catalog.component("metric", "loud").kind == "metric"
    assert [kind for kind, _, _ in catalog.find("whole")] == ["strategy"]


BROKEN = {
    "import": ("import a_module_that_is_not_there", "No module named 'a_module_that_is_not_there'"),
    "exit": ("raise SystemExit(3)", "SystemExit"),
    "syntax": ("def broken(:", "SyntaxError"),
    "raises": (
        HEAD + "@kathrine.hookimpl\ndef kathrine_losses():\n    raise OSError('no disk')\n",
        "OSError: no disk",
    ),
    "not_iterable": (HEAD + "@kathrine.hookimpl\ndef kathrine_losses():\n    return 3\n", "returned 3: return a list"),
    "signature": (HEAD + "@kathrine.hookimpl\ndef kathrine_losses(extra):\n    return []\n", "extra"),
    "unknown_hook": (HEAD + "@kathrine.hookimpl\ndef kathrine_loses():\n    return []\n", "kathrine_loses"),
    "no_marker": (HEAD + "def kathrine_losses():\n    return []\n", "lacks @kathrine.hookimpl"),
    "wrapper": (HEAD + "@kathrine.hookimpl(wrapper=True)\ndef kathrine_losses():\n    yield\n", "wrapper"),
    "no_hook": ("x = 1", "implements no hook"),
    "event": (
        SMALL + "@kathrine.hookimpl\ndef kathrine_step_end(report):\n    pass\n",
        "belong on a component",
    ),
    "wrong_kind": (SMALL.replace("kathrine_curricula", "kathrine_losses"), "not a subclass of Loss"),
    "abstract": (SMALL.replace("def plan", "def plane"), "lacks the methods plan"),
    "bad_name": (SMALL.replace('"plain"', '"Plain Name"'), "lower-case"),
    "twice": (SMALL.replace("[Plain]", "[Plain, Plain]"), "twice"),
    "options": (
        SMALL.replace("    def plan", "    Options = dict\n    def plan"),
        "subclass of kathrine.Options",
    ),
    "reserved": (
        SMALL.replace("    def plan", "    class Options(kathrine.Options):\n        use: str = ''\n    def plan"),
        "the kernel owns the option names use",
    ),
    "source_option": (
        TOY.replace("    level: int", "    max_hours: int"),
        "the kernel owns the option names max_hours",
    ),
    "model_options": (TOY.replace("    checkpoint: str", "    weights: str"), "`checkpoint` and `revision`"),
    "strategy_options": (
        TOY.replace("class Parts(kathrine.StrategyOptions)", "class Parts(kathrine.Options)"),
        "Strat",
    ),
    "recipes": (
        HEAD + "@kathrine.hookimpl\ndef kathrine_recipes():\n    return ['no/such/folder']\n",
        "not a folder",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_named_with_its_reason_and_stops_nothing(case, tmp_path, monkeypatch):
    text, reason = BROKEN[case]
    monkeypatch.syspath_prepend(install(tmp_path, f"broken-{case.replace('_', '-')}", bad=text, fine=SMALL))
    catalog = Catalog.load()
    (failure,) = [failure for failure in catalog.failures if failure.name == "bad"]
    assert reason in failure.reason
    assert failure.distribution == f"broken-{case.replace('_', '-')}" and failure.version == "1.0"
    assert catalog.component("curriculum", "plain").name == "plain"
    with pytest.raises(KathrineError, match="plugin 'bad' of broken") as raised:
        catalog.component("loss", "no_such_loss")
    assert reason in str(raised.value)


def test_a_failed_plugin_leaves_no_hook_behind(tmp_path):
    catalog = Catalog()
    catalog.add(module_of(BROKEN["abstract"][0], tmp_path, "half_a_plugin"), "half")
    assert catalog.failures and not catalog.manager.get_plugins()


def test_unknown_names_get_a_suggestion_and_a_list(tmp_path):
    catalog = toy_catalog(tmp_path)
    with pytest.raises(KathrineError, match=r"unknown strategy 'whol' \(did you mean 'whole'\?\); installed: whole"):
        catalog.component("strategy", "whol")


def test_disable_leaves_plugins_out_and_warns_about_unknown_names(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(install(tmp_path, "toy-out", toy_out=TOY, other_out=SMALL))
    monkeypatch.setenv("KATHRINE_DISABLE", "toy_out, toy_uot")
    catalog = Catalog.load()
    assert catalog.disabled == ("toy_out",)
    assert not any(plugin.name == "toy_out" for plugin in catalog.plugins)
    (warning,) = catalog.warnings
    assert "'toy_uot'" in warning and "did you mean 'toy_out'" in warning
    with pytest.raises(KathrineError, match="disabled by KATHRINE_DISABLE: toy_out"):
        catalog.component("strategy", "whole")


def test_a_clash_names_both_distributions_and_only_the_name_suffers(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    second = SMALL.replace("[Plain]", "[Plain, Extra]").replace(
        "@kath", 'class Extra(Plain):\n    name = "extra"\n\n@kath'
    )
    monkeypatch.syspath_prepend(install(tmp_path / "a", "first-dist", one=SMALL))
    monkeypatch.syspath_prepend(install(tmp_path / "b", "second-dist", two=second))
    catalog = Catalog.load()
    with pytest.raises(KathrineError, match=r"first-dist.*second-dist"):
        catalog.component("curriculum", "plain")
    assert len(catalog.clashes()) == 1
    assert catalog.component("curriculum", "extra").name == "extra"


def test_two_plugins_of_one_name_are_both_refused(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    monkeypatch.syspath_prepend(install(tmp_path / "a", "left-dist", same=SMALL))
    monkeypatch.syspath_prepend(install(tmp_path / "b", "right-dist", same=SMALL))
    catalog = Catalog.load()
    failures = [failure for failure in catalog.failures if failure.name == "same"]
    assert len(failures) == 2
    assert all("left-dist and right-dist" in failure.reason for failure in failures)
    assert "plain" not in catalog.names("curriculum")


def test_every_hook_is_either_a_kind_or_an_event_or_named_here():
    named = {hook for _, _, hook in KINDS.values()} | set(EVENT_HOOKS) | {"kathrine_recipes", "kathrine_commands"}
    manager = hook_manager()
    assert named == {name for name in vars(manager.hook) if name.startswith("kathrine_")}


def test_no_hook_takes_the_first_result_or_is_historic():
    manager = hook_manager()
    for name in (name for name in vars(manager.hook) if name.startswith("kathrine_")):
        spec = getattr(manager.hook, name).spec
        assert not spec.opts["firstresult"] and not spec.opts["historic"]


class Watching(Tracker):
    name = "watching"

    def __init__(self):
        super().__init__()
        self.seen = []

    @property
    def expensive(self):
        raise RuntimeError("registering a component must not look at its properties")

    @hookimpl
    def kathrine_step_end(self, report):
        self.seen.append(report)


class Silent(Tracker):
    name = "silent"


def test_the_run_manager_holds_only_what_watches():
    first, second = Watching(), Watching()
    manager = run_manager([first, Silent()], [second])
    assert set(manager.get_plugins()) == {first, second}
    manager.hook.kathrine_step_end(run=None, report="a report")
    assert first.seen == second.seen == ["a report"]
    manager.hook.kathrine_run_start(run=None)


EVENTS = {
    "kathrine_run_start": ("run",),
    "kathrine_stage_start": ("run", "stage", "step"),
    "kathrine_step_end": ("run", "report"),
    "kathrine_validation_end": ("run", "report"),
    "kathrine_samples_spoken": ("run", "report"),
    "kathrine_checkpoint_saved": ("run", "checkpoint"),
    "kathrine_run_end": ("run", "outcome"),
}


def test_every_event_reaches_every_watcher_with_what_it_asks_for():
    class Everything(Silent):
        def __init__(self):
            super().__init__()
            self.seen = {}

        @hookimpl
        def kathrine_run_start(self, run):
            self.seen["kathrine_run_start"] = (run,)

        @hookimpl
        def kathrine_stage_start(self, run, stage, step):
            self.seen["kathrine_stage_start"] = (run, stage, step)

        @hookimpl
        def kathrine_step_end(self, run, report):
            self.seen["kathrine_step_end"] = (run, report)

        @hookimpl
        def kathrine_validation_end(self, run, report):
            self.seen["kathrine_validation_end"] = (run, report)

        @hookimpl
        def kathrine_samples_spoken(self, run, report):
            self.seen["kathrine_samples_spoken"] = (run, report)

        @hookimpl
        def kathrine_checkpoint_saved(self, run, checkpoint):
            self.seen["kathrine_checkpoint_saved"] = (run, checkpoint)

        @hookimpl
        def kathrine_run_end(self, run, outcome):
            self.seen["kathrine_run_end"] = (run, outcome)

    assert set(EVENTS) == set(EVENT_HOOKS)
    watchers = [Everything(), Everything()]
    manager = run_manager(watchers)
    for name, arguments in EVENTS.items():
        getattr(manager.hook, name)(**{argument: f"{name} {argument}" for argument in arguments})
    for watcher in watchers:
        assert watcher.seen == {name: tuple(f"{name} {word}" for word in words) for name, words in EVENTS.items()}


def test_the_run_manager_refuses_hooks_that_do_not_fit():
    class Wrong(Silent):
        @hookimpl
        def kathrine_step_end(self, reports):
            pass

    class Unmarked(Silent):
        def kathrine_step_end(self, report):
            pass

    class Unknown(Silent):
        @hookimpl
        def kathrine_stepend(self, report):
            pass

    for component in (Wrong(), Unmarked(), Unknown()):
        with pytest.raises(KathrineError, match=r"tracker\.silent has a hook that does not fit"):
            run_manager([component])


def test_tracing_prints_calls(monkeypatch, capsys):
    monkeypatch.setenv("KATHRINE_TRACE_PLUGINS", "1")
    manager = run_manager([Watching()])
    manager.hook.kathrine_step_end(run=None, report="the report")
    assert "kathrine_step_end" in capsys.readouterr().err
    monkeypatch.setenv("KATHRINE_TRACE_PLUGINS", "0")
    run_manager([Watching()]).hook.kathrine_step_end(run=None, report="the report")
    assert capsys.readouterr().err == ""
