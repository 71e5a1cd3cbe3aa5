"""A checkpoint of the family from the Hub, by the real client against a server on this machine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from servers.hub import Hub, run_client
from tiny_csm import folder

CLIENT = """
import json, sys
from pathlib import Path
from kathrine.errors import KathrineError
from kathrine.progress import SilentProgress
from kathrine.workspace import Workspace
from kathrine_csm import CsmFamily
from kathrine_csm.family import CsmOptions
name, place, revision = sys.argv[1:]
one, place = CsmFamily(CsmOptions(checkpoint=name, revision=revision)), Workspace(Path(place))
try:
    one.fetch(place, SilentProgress())
    again = CsmFamily(CsmOptions(checkpoint=name, revision=revision))
    at_hand = again.at_hand(place) and again.facts(place).codebooks == 8 and not list(again.reachable(place))
    again.fetch(place, SilentProgress(), offline=True)
    print(json.dumps({"revision": one.facts(place).revision, "at_hand": at_hand}))
except KathrineError as error:
    print(json.dumps({"message": error.message, "hint": error.hint}))
"""


def test_a_checkpoint_comes_from_the_hub_and_another_family_is_refused_by_its_first_file(tmp_path: Path):
    source = Path(shutil.copytree(folder(), tmp_path / "source"))
    (source / "ckpt.pt").write_bytes(b"pickled")
    foreign = Path(shutil.copytree(folder(), tmp_path / "foreign"))
    (foreign / "config.json").write_text(json.dumps({"model_type": "qwen3_tts"}))
    with Hub() as hub:
        first = hub.add("someone/csm", source, kind="models", revision="v1")
        hub.add("someone/csm", source, kind="models")
        hub.add("someone/other", foreign, kind="models")

        def ask(name: str, revision: str = "") -> dict:
            environment = hub.environment(tmp_path / "home")
            done = run_client(CLIENT, environment, name, str(tmp_path / "home" / "workspace"), revision)
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout.splitlines()[-1])

        assert ask("someone/csm", "v1") == {"revision": first.sha, "at_hand": True}
        assert {"model.safetensors", "tokenizer.json"} <= set(hub.fetched())
        assert "ckpt.pt" not in hub.fetched()
        before = len(hub.fetched())
        assert "not 'csm'" in ask("someone/other")["message"]
        assert len(hub.fetched()) == before + 1  # its config.json, and nothing of its weights
        assert "or it is private" in ask("someone/none")["message"]
        hub.add("someone/gated", source, kind="models", gated=True)
        closed = ask("someone/gated")
        assert "terms" in closed["message"] and "accept them on its page on the Hub" in closed["hint"]
    lost = ask("someone/gone")
    assert "could not be fetched" in lost["message"] and "name a local folder" in lost["hint"]
