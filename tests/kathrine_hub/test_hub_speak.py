"""`kathrine speak hub:OWNER/NAME` on what `kathrine push` uploaded: the root, and a folder beside it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from exported import Quiet, finished
from servers.hub import run_client
from servers.hub_writes import Account, WritableHub
from tiny_training import workspace

from kathrine_checkpoint import Adapter
from kathrine_lora import Lora, LoraOptions

CODE = """
import json, sys
from kathrine.cli.main import run
print(json.dumps([run(words) for words in json.loads(sys.argv[1])]))
"""
RECIPE = """
[export.adapter]
[export.early]
use = "adapter"
[export.hub]
repo = "kari/norsk"
what = ["adapter", "early", "state", "logs"]
"""


@pytest.mark.slow
def test_what_was_pushed_is_spoken(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "night"
    Adapter().export(finished(run, [Lora(LoraOptions(lr=2e-3))], steps=3), run / "export" / "adapter", Quiet())
    shutil.copytree(run / "export" / "adapter", run / "export" / "early")
    (run / "checkpoints" / "00000003").mkdir(parents=True)
    (run / "checkpoints" / "00000003" / "trainable.safetensors").write_bytes(b"of a run, not of the adapter" * 9)
    told = {"step": 3, "reasons": ["last"], "state": {}}
    (run / "checkpoints" / "00000003" / "state.json").write_text(json.dumps(told))
    (run / "recipe.toml").write_text(RECIPE)
    (run / "console.log").write_text("hei\n")
    with WritableHub(tmp_path / "stored") as hub:
        hub.accounts["hf_write"] = Account("kari")
        environment = hub.environment(tmp_path / "home", HF_TOKEN="hf_write", KATHRINE_WORKSPACE=str(workspace().root))

        def kathrine(*commands: list[str]) -> tuple[list[int], str]:
            done = run_client(CODE, environment, json.dumps(commands))
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout.splitlines()[-1]), done.stderr

        said = ["Hei.", "--max-seconds", "0.4", "--out", str(tmp_path / "spoken")]
        codes, text = kathrine(["push", str(run)], ["speak", "hub:kari/norsk", *said])
        assert codes[0] == 0 and codes[1] in (0, 1), text
        assert "adapter " in text and "lora" in text
        fetched = set(hub.fetched())
        assert "adapter_model.safetensors" in fetched
        assert not [name for name in fetched if name.startswith(("early/", "state/", "logs/"))]
        codes, text = kathrine(["speak", "hub:kari/norsk@main/early", *said], ["speak", "hub:kari/norsk", *said])
        assert codes[0] in (0, 1) and codes[1] in (0, 1), text
        # The same bytes as at the root, which the client has already: they come under the folder's name all the same.
        assert "/early: lora" in text and text.count("lora") >= 2
