"""The model family as kathrine sees it: a thin component over this package's functions. No torch at import."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from kathrine.components import Codec, ModelFamily, Options, Progress, SpeechModel
from kathrine.errors import KathrineError
from kathrine.types import Body, Fingerprints, ModelFacts, ParameterSpec
from kathrine.workspace import Workspace
from kathrine_csm.bodies import model_bodies
from kathrine_csm.config import DEFAULTS, PARTS, RELEASED, model_specs, read_config, released_config, sizes
from kathrine_csm.config import samples_per_frame as frame_samples

if TYPE_CHECKING:
    import torch

    from kathrine_csm.checkpoint import ResolvedCheckpoint

SIZE = ("hidden_size", "num_hidden_layers")


def model_facts(config: Mapping[str, Any], checkpoint: str, revision: str = "") -> ModelFacts:
    """Facts from the parsed config.json."""
    backbone, _, codec = sizes(config)
    present = {spec.part for spec in model_specs(config)}
    return ModelFacts(
        family=CsmFamily.name,
        checkpoint=checkpoint,
        revision=revision,
        sample_rate=int(codec["sampling_rate"]),
        samples_per_frame=frame_samples(codec),
        codebooks=int(backbone["num_codebooks"]),
        codebook_size=int(codec["codebook_size"]),
        parts=tuple(part for part in PARTS if part in present),
        released=all(backbone[key] == DEFAULTS[key] for key in SIZE),
        prompt_forms=("plain", "in_context"),
        text_layouts=("whole",),
        language_tags=False,
        end_is_frame=True,
    )


def codec_fingerprint(folder: Path) -> str:
    """Hash of all that codes depend on: the codec's weights and its configuration."""
    import json

    import torch

    from kathrine_csm.checkpoint import read_tensors
    from kathrine_csm.config import CODEC_PREFIX

    digest = hashlib.sha256(json.dumps(read_config(folder).get("codec_config") or {}, sort_keys=True).encode())
    for name, tensor in read_tensors(folder, CODEC_PREFIX):
        digest.update(name.encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


class CsmOptions(Options):
    """Released model: sesame/csm-1b, behind terms that are accepted on its page."""

    checkpoint: str = Field(default=RELEASED, json_schema_extra={"path": "or_id"})
    """A folder in transformers' layout, a Hub id, or `kathrine:tiny-csm` (an embedded model for trying things out)."""
    revision: str = ""
    """Branch, tag or commit on the Hub; empty takes the newest. The run folder records the commit."""


class CsmFamily(ModelFamily):
    """Sesame CSM: a backbone, a depth decoder, and Mimi."""

    name = "csm"
    tiny = "kathrine:tiny-csm"
    library = "transformers"
    Options = CsmOptions
    options: CsmOptions

    def __init__(self, options: Any = None, label: str = "") -> None:
        super().__init__(options, label)
        self._resolved: dict[Path, ResolvedCheckpoint] = {}

    def problems(self) -> Iterator[str]:
        from kathrine_csm.checkpoint import name_problem

        problem = name_problem(self.options.checkpoint)
        if problem:
            yield f"checkpoint: {problem}"

    # ---- without weights, without torch

    def _config(self, workspace: Workspace) -> dict[str, Any] | None:
        """config.json, from a folder at hand or from what is known of the released model."""
        from kathrine_csm.checkpoint import TINY

        checkpoint = self.options.checkpoint
        if checkpoint == TINY:
            from kathrine_csm.tiny import tiny_config

            return tiny_config()
        folder = self._folder_at_hand(workspace)
        if folder is not None:
            return read_config(folder)
        return released_config() if checkpoint == RELEASED else None

    def _folder_at_hand(self, workspace: Workspace) -> Path | None:
        from kathrine_csm.checkpoint import cached_snapshot

        if workspace.root in self._resolved:
            return self._resolved[workspace.root].path
        folder = Path(self.options.checkpoint).expanduser()
        if folder.is_dir():
            return folder if (folder / "config.json").is_file() else None
        return cached_snapshot(self.options.checkpoint, workspace.root / "hub", self.options.revision)

    def facts(self, workspace: Workspace) -> ModelFacts | None:
        config = self._config(workspace)
        if config is None:
            return None
        resolved = self._resolved.get(workspace.root)
        return model_facts(config, self.options.checkpoint, resolved.revision if resolved else self.options.revision)

    def parameters(self, workspace: Workspace) -> tuple[ParameterSpec, ...] | None:
        config = self._config(workspace)
        return None if config is None else model_specs(config)

    def bodies(self, workspace: Workspace) -> tuple[Body, ...] | None:
        config = self._config(workspace)
        return None if config is None else model_bodies(config)

    # ---- with files

    def resolved(
        self, workspace: Workspace, offline: bool = False, say: Callable[[str], Any] = lambda told: None
    ) -> ResolvedCheckpoint:
        """The checkpoint's folder, fetched (offline: only looked for) and checked; once in the life of this
        component."""
        from kathrine_csm.checkpoint import resolve

        if workspace.root not in self._resolved:
            options = self.options
            self._resolved[workspace.root] = resolve(options.checkpoint, workspace.root, options.revision, offline, say)
        return self._resolved[workspace.root]

    def at_hand(self, workspace: Workspace) -> bool:
        from kathrine_csm.checkpoint import TINY, weight_files

        folder = self._folder_at_hand(workspace)
        if self.options.checkpoint == TINY:
            return True
        try:
            return folder is not None and bool(weight_files(folder))
        except KathrineError:  # a snapshot without all of its weights: `fetch` brings the rest
            return False

    def reachable(self, workspace: Workspace) -> Iterator[str]:
        from kathrine.hubreach import hub_problem

        problem = hub_problem(self.options.checkpoint, self.options.revision, "model")
        return iter([problem] if problem else [])

    def fetch(self, workspace: Workspace, progress: Progress, offline: bool = False) -> None:
        known = workspace.root in self._resolved
        checkpoint = self.resolved(workspace, offline, progress.say)
        if not known:
            progress.say(f"model: {checkpoint.id} ({checkpoint.revision}), every file checked")

    def fingerprints(self, workspace: Workspace) -> Fingerprints:
        from kathrine_csm.text import TextTokenizer

        folder = self.resolved(workspace).path
        return Fingerprints(codec=codec_fingerprint(folder), speaker="", text=TextTokenizer(folder).fingerprint())

    def open_codec(self, workspace: Workspace, device: str = "cpu", decode_only: bool = False) -> Codec:
        from kathrine_csm.codec import load_codec

        return load_codec(self.resolved(workspace).path, device, decode_only)

    def open_text(self, workspace: Workspace) -> Callable[[str], tuple[int, ...]]:
        from kathrine_csm.text import TextTokenizer

        tokenizer = TextTokenizer(self.resolved(workspace).path)
        return lambda text: tuple(tokenizer.body(text))

    def open_text_tokens(self, workspace: Workspace) -> Callable[[str], tuple[tuple[int, bytes], ...]]:
        from kathrine_csm.text import TextTokenizer

        return TextTokenizer(self.resolved(workspace).path).tokens

    def load(self, workspace: Workspace, device: str = "cpu", dtype: str = "fp32") -> SpeechModel:
        from kathrine_csm.model import load_model

        resolved = self.resolved(workspace)
        facts = model_facts(read_config(resolved.path), self.options.checkpoint, resolved.revision)
        return load_model(resolved.path, facts, device=device, dtype=dtype)

    def write_checkpoint(
        self,
        workspace: Workspace,
        folder: Path,
        weights: Mapping[str, torch.Tensor],
        dtype: str,
        languages: Mapping[str, int],
        *,
        max_shard_bytes: int = 0,
        voices: Mapping[str, int] | None = None,
        keep_base: bool = True,
    ) -> tuple[str, ...]:
        from kathrine_csm.checkpoint import write_checkpoint

        if languages:
            raise KathrineError(f"model.{self.name} has no language tags to write", "leave strategy.language_tag out")
        if voices:
            raise KathrineError(f"model.{self.name} brings no speakers of its own", "use export.merged")
        out = write_checkpoint(folder, self.resolved(workspace).path, weights, dtype, max_shard_bytes)
        return tuple(sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()))
