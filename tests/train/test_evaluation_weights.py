"""Whether an evaluation's takes were made with the weights that are there now."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from kathrine.train.evaluation_takes import weights_of


def test_takes_of_another_adapter_are_not_taken_for_those_of_the_first(tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_model.safetensors").write_bytes(b"one")
    facts = SimpleNamespace(checkpoint="kathrine:tiny", revision="1")
    loaded = SimpleNamespace(model=SimpleNamespace(facts=facts), adapter=adapter, run=None, step=None)
    first = weights_of(loaded)  # type: ignore[arg-type]
    (adapter / "README.md").write_text("notes")
    assert weights_of(loaded) == first  # type: ignore[arg-type]
    (adapter / "adapter_model.safetensors").write_bytes(b"two")
    assert weights_of(loaded) != first  # type: ignore[arg-type]
