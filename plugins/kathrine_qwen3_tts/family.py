"""The model family as kathrine sees it: a thin component over this package's functions. No torch at
import."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from kathrine.components import Codec, ModelFamily, Options, Progress, SpeechModel
from kathrine.errors import KathrineError
from kathrine.types import Body, Fingerprints, ModelFacts, ParameterSpec
from kathrine.workspace import Workspace
from kathrine_qwen3_tts.bodies import model_bodies
from kathrine_qwen3_tts.config import (
    codec_config,
    codec_folder,
    has_speaker_encoder,
    known_config,
    part_of,
    read_config,
)
from kathrine_qwen3_tts.elsewhere import LIBRARY, adapter_code, speaking_code
from kathrine_qwen3_tts.facts import FAMILY, model_facts, model_specs
from kathrine_qwen3_tts.fingerprints import codec_fingerprint, speaker_fingerprint

if TYPE_CHECKING:
    import numpy as np
    import torch

    from kathrine_qwen3_tts.checkpoint import ResolvedCheckpoint

CODEC_NAME = "Qwen3-TTS-Tokenizer-12Hz"


class FrameCodec:
    """The speech tokenizer as the kernel asks for it: clips padded to whole frames, official decoding."""

    def __init__(self, codec: Any) -> None:
        self._codec = codec

    def encode(self, waves: Sequence[np.ndarray]) -> list[np.ndarray]:
        return self._codec.encode(list(waves), pad_to_frames=True)

    def decode(
        self, codes: Sequence[np.ndarray], progress: Callable[[int, int], None] | None = None
    ) -> list[np.ndarray]:
        return self._codec.decode(list(codes), progress)


class Qwen3TtsOptions(Options):
    """Released models: Qwen/Qwen3-TTS-12Hz-0.6B-Base and Qwen/Qwen3-TTS-12Hz-1.7B-Base."""

    checkpoint: str = Field(default="Qwen/Qwen3-TTS-12Hz-0.6B-Base", json_schema_extra={"path": "or_id"})
    """A folder in the official layout, a Hub id, or `kathrine:tiny` (embedded, to try things out)."""
    revision: str = ""
    """Branch, tag or commit on the Hub; empty takes the newest. The run folder records the commit."""
    attention_window: Literal["full", "windowed"] = "full"
    """Attention of the speech tokenizer's encoder: "full" equals the official package, "windowed" looks
    back 10 s as its configuration says. They differ for clips above 10 s; part of the corpus key."""


class Qwen3TtsFamily(ModelFamily):
    """Qwen3-TTS, 12 Hz: base and custom_voice, 0.6B and 1.7B."""

    name = FAMILY
    library = LIBRARY
    tiny = "kathrine:tiny"
    Options = Qwen3TtsOptions
    options: Qwen3TtsOptions

    def __init__(self, options: Any = None, label: str = "") -> None:
        super().__init__(options, label)
        self._resolved: dict[Path, ResolvedCheckpoint] = {}

    def problems(self) -> Iterator[str]:
        from kathrine_qwen3_tts.checkpoint import name_problem

        problem = name_problem(self.options.checkpoint)
        if problem:
            yield f"checkpoint: {problem}"

    # ---- without weights, without torch

    def _configs(self, workspace: Workspace) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """config.json and the codec's, from a folder at hand or from what is known of released models."""
        checkpoint = self.options.checkpoint
        if workspace.root in self._resolved:
            folder: Path | None = self._resolved[workspace.root].path
        else:
            folder = self._folder_at_hand(workspace)
        if folder is not None:
            return read_config(folder), codec_config(folder)
        config, codec = known_config(checkpoint), known_config(CODEC_NAME)
        if config is None or codec is None or "talker_config" not in config:
            return None
        return config, codec

    def _folder_at_hand(self, workspace: Workspace) -> Path | None:
        from kathrine_qwen3_tts.checkpoint import TINY, hub_id
        from kathrine_qwen3_tts.download import cached_snapshot

        checkpoint = self.options.checkpoint
        if checkpoint == TINY:
            from kathrine_qwen3_tts.tiny import DATA

            return DATA
        folder = Path(checkpoint).expanduser()
        if folder.is_dir():
            return folder
        cached = cached_snapshot(hub_id(checkpoint), workspace.root / "hub", self.options.revision or None)
        complete = cached is not None and (cached / "config.json").is_file() and codec_folder(cached).is_dir()
        return cached if complete else None

    def facts(self, workspace: Workspace) -> ModelFacts | None:
        from kathrine_qwen3_tts.checkpoint import complete_name

        configs = self._configs(workspace)
        if configs is None:
            return None
        resolved = self._resolved.get(workspace.root)
        revision = resolved.revision if resolved else self.options.revision
        return model_facts(*configs, checkpoint=complete_name(self.options.checkpoint), revision=revision)

    def parameters(self, workspace: Workspace) -> tuple[ParameterSpec, ...] | None:
        configs = self._configs(workspace)
        return None if configs is None else model_specs(configs[0])

    def bodies(self, workspace: Workspace) -> tuple[Body, ...] | None:
        configs = self._configs(workspace)
        return None if configs is None else model_bodies(configs[0])

    # ---- with files

    def resolved(self, workspace: Workspace, offline: bool = False) -> ResolvedCheckpoint:
        """The checkpoint's folder, fetched (offline: only looked for) and checked; once in the life of this
        component."""
        from kathrine_qwen3_tts.checkpoint import resolve

        if workspace.root not in self._resolved:
            options = self.options
            self._resolved[workspace.root] = resolve(
                options.checkpoint, workspace.root, options.revision or None, offline or None
            )
        return self._resolved[workspace.root]

    def at_hand(self, workspace: Workspace) -> bool:
        from kathrine_qwen3_tts.checkpoint import TINY

        folder = self._folder_at_hand(workspace)
        return self.options.checkpoint == TINY or (folder is not None and any(folder.glob("*.safetensors")))

    def reachable(self, workspace: Workspace) -> Iterator[str]:
        from kathrine.hubreach import hub_problem
        from kathrine_qwen3_tts.checkpoint import hub_id

        problem = hub_problem(hub_id(self.options.checkpoint), self.options.revision, "model")
        return iter([problem] if problem else [])

    def fetch(self, workspace: Workspace, progress: Progress, offline: bool = False) -> None:
        known = workspace.root in self._resolved
        checkpoint = self.resolved(workspace, offline)
        if not known:
            progress.say(f"model: {checkpoint.id} ({checkpoint.revision}), every file checked")

    def fingerprints(self, workspace: Workspace) -> Fingerprints:
        from kathrine_qwen3_tts.text import TextTokenizer

        folder = self.resolved(workspace).path
        speaker = ""
        if has_speaker_encoder(read_config(folder)):
            speaker = speaker_fingerprint(folder)
        return Fingerprints(
            codec=codec_fingerprint(folder, self.options.attention_window),
            speaker=speaker,
            text=TextTokenizer(folder).fingerprint(),
        )

    def open_codec(self, workspace: Workspace, device: str = "cpu", decode_only: bool = False) -> Codec:
        from kathrine_qwen3_tts.codec import load_codec

        folder = self.resolved(workspace).path
        codec = load_codec(folder, device=device, encoder=not decode_only, window=self.options.attention_window)
        return FrameCodec(codec)

    def open_text(self, workspace: Workspace) -> Callable[[str], tuple[int, ...]]:
        from kathrine_qwen3_tts.text import TextTokenizer

        tokenizer = TextTokenizer(self.resolved(workspace).path)
        return lambda text: tuple(tokenizer.body(text))

    def open_text_tokens(self, workspace: Workspace) -> Callable[[str], tuple[tuple[int, bytes], ...]]:
        from kathrine_qwen3_tts.text import TextTokenizer

        tokenizer = TextTokenizer(self.resolved(workspace).path)
        return lambda text: tuple((number, tokenizer.bytes_of(number)) for number in tokenizer.body(text))

    def open_speaker_encoder(
        self, workspace: Workspace, device: str = "cpu"
    ) -> Callable[[np.ndarray], np.ndarray] | None:
        folder = self.resolved(workspace).path
        if not has_speaker_encoder(read_config(folder)):
            return None
        from kathrine_qwen3_tts.speaker import load_speaker_encoder, speaker_embedding

        encoder = load_speaker_encoder(folder, device)
        return lambda wave: speaker_embedding(encoder, wave)

    def load(self, workspace: Workspace, device: str = "cpu", dtype: str = "fp32") -> SpeechModel:
        from kathrine_qwen3_tts.model import load_model

        resolved = self.resolved(workspace)
        facts = self.facts(workspace)
        if facts is None:
            raise KathrineError(f"{resolved.id} has no configuration", "fetch the checkpoint again")
        return load_model(resolved.path, facts, device=device, dtype=dtype)

    def voice_rows(
        self, workspace: Workspace, wanted: Mapping[str, int | None], languages: Mapping[str, int]
    ) -> tuple[dict[str, int], list[str]]:
        from kathrine_qwen3_tts.voices import voice_rows

        configs = self._configs(workspace)
        return ({}, []) if configs is None else voice_rows(configs[0], wanted, languages)

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
        from kathrine_qwen3_tts.checkpoint import merged_tables, write_checkpoint
        from kathrine_qwen3_tts.voices import voice_patch

        base = self.resolved(workspace).path
        patch = merged_tables(
            {"talker_config": {"codec_language_id": dict(languages)}} if languages else {},
            voice_patch(voices or {}, keep_base),
        )
        if not has_speaker_encoder(merged_tables(read_config(base), patch)):
            weights = {name: value for name, value in weights.items() if part_of(name) != "speaker_encoder"}
        out = write_checkpoint(folder, base, weights, patch, dtype, max_shard_bytes)
        return tuple(sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()))

    def code_elsewhere(self, place: str, text: str, language: str, speaker: str = "") -> str:
        return speaking_code(place, text, language, speaker)

    def adapter_elsewhere(
        self, base: str, folder: str, text: str, parts: Collection[str], languages: Mapping[str, int]
    ) -> str:
        return adapter_code(base, folder, text, parts, languages)
