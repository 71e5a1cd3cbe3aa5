"""What the doctor asks of the Hub, through the real client against a Hub on the loopback interface."""

from __future__ import annotations

import json
import socket
import time

import pytest
from servers.hub import Hub, run_client

MODEL, NPSC, BOOKS = "Qwen/Qwen3-TTS-12Hz-0.6B-Base", "NbAiLab/NPSC", "NbAiLab/nb-librivox"

CODE = """
import json, os, sys, time
from kathrine.doctor import clock, network
from kathrine.recipe import load_recipe
from kathrine.workspace import Workspace
workspace, answers = Workspace.default(), []
for wishes in json.loads(sys.argv[1]):
    os.environ.update(wishes.get("environment", {}))
    recipe = load_recipe("kathrine:curriculum", sets=wishes.get("sets", []))
    began = time.monotonic()
    answer = network.ask_hub(recipe.run.offline, wishes.get("seconds", 6.0))
    found = [network.check_hub(answer), network.check_model(recipe, workspace, answer)]
    found += network.check_data(recipe, workspace)
    found.append(clock.check_clock(answer.date, workspace.root))
    told = {one.name: [one.state, one.measured, one.remedy] for one in found}
    answers.append(told | {"seconds": time.monotonic() - began})
heavy = [name for name in ("torch", "datasets", "transformers") if name in sys.modules]
assert not heavy, heavy
print(json.dumps(answers))
"""


def ask(environment: dict[str, str], *wishes: dict) -> list[dict]:
    """Findings by name for each of several wishes, all from one process of its own."""
    done = run_client(CODE, environment, json.dumps(wishes))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def hub(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "README.md").write_text("a corpus")
    with Hub() as server:
        server.add(MODEL, tmp_path / "model", kind="models")
        server.add(NPSC, tmp_path / "data")
        server.add(BOOKS, tmp_path / "data")
        yield server


def test_what_can_be_reached_is_green_and_nothing_is_fetched(hub, tmp_path):
    (found,) = ask(hub.environment(tmp_path / "home"), {})
    assert {name: one[0] for name, one in found.items() if name != "seconds"} == dict.fromkeys(
        ["hub", "model", "data.npsc", "data.librivox", "clock"], "green"
    )
    assert "within a minute of the Hub" in found["clock"][1]
    assert hub.fetched() == [] and [entry.method for entry in hub.log] == ["HEAD"] * 4


def test_what_is_gated_private_or_not_there_is_red_with_the_remedy(hub, tmp_path):
    hub.repositories["models", MODEL].gated = True
    hub.repositories["datasets", NPSC].private = True
    del hub.repositories["datasets", BOOKS]
    token = {"HF_TOKEN": "hf_of_somebody"}
    found, with_token = ask(hub.environment(tmp_path / "home"), {}, {"environment": token})
    for name, told in (("model", "terms"), ("data.npsc", "private"), ("data.librivox", "no dataset")):
        assert found[name][0] == "red" and told in found[name][1], found[name]
        assert "hf auth login" in found[name][2]
    assert with_token["data.npsc"][0] == "green" and "hf_of_somebody" not in json.dumps(with_token)


def test_a_hub_that_never_answers_costs_a_few_seconds(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with Hub() as hub:
            environment = hub.environment(tmp_path / "home")
        environment["HF_ENDPOINT"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        (found,) = ask(environment, {"seconds": 0.5})
        assert found["seconds"] < 8 and time.monotonic() - began < 60
    assert found["hub"][0] == "yellow" and found["model"][0] == found["data.npsc"][0] == "red"
    assert found["model"][2] and found["data.npsc"][2]
    assert "file system" in found["clock"][1]


def test_offline_recipes_need_everything_at_hand_and_folders_need_no_hub(hub, tmp_path):
    corpus, empty = tmp_path / "corpus", tmp_path / "empty"
    corpus.mkdir()
    empty.mkdir()
    (corpus / "a.json").write_text("{}")
    sets = [f"data.npsc.root='{corpus}'", f"data.librivox.root='{empty}'"]
    offline = ["run.offline=true"]
    away, folders = ask(hub.environment(tmp_path / "home"), {"sets": offline}, {"sets": [*offline, *sets]})
    assert hub.log == []
    assert away["hub"][0] == "green" and "run.offline" in away["hub"][1]
    assert away["model"][0] == "red" and "not at hand" in away["model"][1]
    assert away["data.npsc"][0] == "red" and "never listed" in away["data.npsc"][1]
    assert folders["data.npsc"][0] == "green" and str(corpus) in folders["data.npsc"][1]
    assert folders["data.librivox"][0] == "red" and "empty" in folders["data.librivox"][1]
