"""Second half of the proof in docs/official-package.md, under the official package's Python: load, speak, compare.

    python docs/proof/official_half.py FOLDER [--record FILE]

FOLDER is what `kathrine_half.py` left. Nothing of kathrine is imported here. Prints a table and ends with 1 where a
line of it differs. --record writes the official codes and names down, for tests/official.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import soundfile
import torch
import transformers
from peft import LoraConfig, PeftModel
from safetensors.torch import load_file, save_file

ONLY_FOR_25_HZ = ("sox", "torchaudio", "torchaudio.compliance", "torchaudio.compliance.kaldi")
"""Imported by the package, called by its 25 Hz tokenizer alone, whose models are not public."""

EMBEDDING_TOLERANCE = 2e-5
PACKAGES = ("qwen-tts", "transformers", "torch", "peft", "librosa", "numpy", "tokenizers")
SPECIAL = {
    "tts_bos_token_id": "<tts_text_bos>",
    "tts_eos_token_id": "<tts_text_eod>",
    "tts_pad_token_id": "<tts_pad>",
    "im_start_token_id": "<|im_start|>",
    "im_end_token_id": "<|im_end|>",
    "assistant_token_id": "assistant",
}
CONTROL = "without text_projection.bin"


def official_class() -> Any:
    """`Qwen3TTSModel`, with empty modules in the place of the unneeded ones that are not installed."""
    for name in ONLY_FOR_25_HZ:
        if name.split(".")[0] in sys.modules or importlib.util.find_spec(name.split(".")[0]) is None:
            module = ModuleType(name)
            module.__spec__, module.__path__ = ModuleSpec(name, None), []
            sys.modules.setdefault(name, module)
    from qwen_tts import Qwen3TTSModel

    return Qwen3TTSModel


class Official:
    """The official wrapper around one folder, in float32, and what it was asked to say."""

    def __init__(self, folder: Path, frames: int) -> None:
        self.tts = official_class().from_pretrained(str(folder), dtype=torch.float32)
        self.frames = frames
        self.model = self.tts.model

    @contextmanager
    def listening(self) -> Iterator[list[torch.Tensor]]:
        """The codes that the wrapper decodes to sound, which it does not return."""
        heard: list[torch.Tensor] = []
        inner = self.model.generate

        def generate(**given: Any) -> Any:
            codes, hidden = inner(**given)
            heard.extend(codes)
            return codes, hidden

        self.model.generate = generate
        try:
            yield heard
        finally:
            del self.model.generate

    def prompt(self, voice: Path, text: str | None) -> Any:
        wave, rate = soundfile.read(voice, dtype="float32")
        (item,) = self.tts.create_voice_clone_prompt((wave, rate), text, x_vector_only_mode=text is None)
        return item

    def codes(self, request: dict[str, Any], voice: Path) -> np.ndarray:
        """Codes [T, Q] of one request; the sound must have as many samples as they ask for."""
        asked = {
            "text": request["text"],
            "language": request["language"] or "Auto",
            "non_streaming_mode": not request["streamed"],
            "do_sample": False,
            "subtalker_dosample": False,
            "max_new_tokens": self.frames + 1,
        }
        with self.listening() as heard:
            if request.get("speaker"):
                waves, rate = self.tts.generate_custom_voice(speaker=request["speaker"], **asked)
            else:
                item = self.prompt(voice, request["reference_text"])
                waves, rate = self.tts.generate_voice_clone(voice_clone_prompt=[item], **asked)
        codes = heard[0].numpy().astype(np.int16)
        assert rate == 24000 and abs(len(waves[0]) - 1920 * len(codes)) <= 1920, (rate, waves[0].shape, codes.shape)
        assert np.isfinite(waves[0]).all()
        return codes


def put_projection_and_tag(model: Any, folder: Path) -> None:
    """The parts of an adapter folder that PEFT does not know of."""
    projection = torch.load(folder / "text_projection.bin", weights_only=True)
    model.talker.text_projection.load_state_dict(projection)
    vectors = load_file(folder / "language_tag.safetensors")
    for language, row in json.loads((folder / "language_tag.json").read_text(encoding="utf-8")).items():
        model.talker.model.codec_embedding.weight.data[row] = vectors[language]
        model.config.talker_config.codec_language_id[language] = row
        model.supported_languages.append(language)


def onto_the_model(official: Official, folder: Path) -> None:
    """All of `tts.model` is wrapped: the adapter's names fit as they are."""
    put_projection_and_tag(official.model, folder)
    check_filled(PeftModel.from_pretrained(official.model, str(folder)), folder)


def onto_the_talker(official: Official, folder: Path) -> None:
    """`tts.model.talker` alone is wrapped: `talker.` is taken off keys and pattern."""
    put_projection_and_tag(official.model, folder)
    config = LoraConfig.from_pretrained(str(folder))
    config.target_modules = config.target_modules.replace(r"talker\.", "")
    names = {r"^(base_model\.model\.)?talker\.": r"\1"}
    wrapped = PeftModel.from_pretrained(official.model.talker, str(folder), config=config, key_mapping=names)
    check_filled(wrapped, folder)


def check_filled(wrapped: Any, folder: Path) -> None:
    """PEFT only warns of weights that it could not place: each must have arrived, and be no other."""
    stored = sorted(load_file(folder / "adapter_model.safetensors").items())
    found = {name.replace(".default.", "."): value for name, value in wrapped.named_parameters() if "lora_" in name}
    assert len(found) == len(stored) > 0, (len(found), len(stored))
    for name, value in stored:
        place = name if name in found else name.replace("model.talker.", "model.")
        assert torch.equal(found[place].detach(), value), name


def without_projection(official: Official, folder: Path) -> None:
    """A control, which must not give the run's codes: what everybody gets who forgets text_projection.bin."""
    first = {key: value.clone() for key, value in official.model.talker.text_projection.state_dict().items()}
    onto_the_model(official, folder)
    official.model.talker.text_projection.load_state_dict(first)


ADAPTED: dict[str, Callable[[Official, Path], None]] = {
    "on tts.model": onto_the_model,
    "on tts.model.talker": onto_the_talker,
    CONTROL: without_projection,
}


def loaded(case: dict[str, Any], folder: Path, frames: int) -> Iterator[tuple[str, Official]]:
    """A case in every way that it can be loaded."""
    if case["kind"] != "adapter":
        yield "", Official(folder / case["folder"], frames)
        return
    for way, put_on in ADAPTED.items():
        official = Official(folder / case["base"], frames)
        put_on(official, folder / case["folder"])
        yield way, official


def token_ids(official: Official, texts: list[str]) -> dict[str, list[int]]:
    """Ids of the target template, by text."""
    wrapped = {text: f"<|im_start|>assistant\n{text}<|im_end|>\n<|im_start|>assistant\n" for text in texts}
    return {text: official.tts.processor(text=[whole])["input_ids"][0] for text, whole in wrapped.items()}


class Comparison:
    """The table, line by line; a line with DIFFERS in it is a failure."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.voice = folder, folder / "voice.wav"
        self.plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        self.kathrines = load_file(folder / "kathrine.safetensors")
        self.codes: dict[str, torch.Tensor] = {}
        self.ids: dict[str, list[int]] = {}
        self.names: dict[str, list[str]] = {}
        self.encoders: dict[str, tuple[dict[str, torch.Tensor], torch.Tensor]] = {}

    def lines(self) -> Iterator[str]:
        for name, case in self.plan["cases"].items():
            for way, official in loaded(case, self.folder, self.plan["frames"]):
                yield from self.compare(name, case, way, official)

    def compare(self, name: str, case: dict[str, Any], way: str, official: Official) -> Iterator[str]:
        """A case loaded in one way: all its requests, and what else must be equal."""
        made = {key: official.codes(request, self.voice) for key, request in case["requests"].items()}
        equal = {key for key in made if np.array_equal(made[key], self.kathrines[f"{name}/{key}"].numpy())}
        frames = sum(len(codes) for codes in made.values())
        start = f"{name} {way}".strip().ljust(46) + f"{len(equal):>3} of {len(made):<3}{frames:>6}"
        if way == CONTROL:
            all_the_same = len(equal) == len(made)
            yield f"{start}{'':>11}   {'a control, which DIFFERS not' if all_the_same else 'a control: must differ'}"
            return
        bases = {key: self.codes.get(f"{Path(case['base']).name} base/{key}") for key in made}
        moved = [not np.array_equal(made[key], base.numpy()) for key, base in bases.items() if base is not None]
        self.codes |= {f"{name}/{key}": torch.from_numpy(codes) for key, codes in made.items()}
        told = f"{sum(moved)} of {len(moved)}" if moved else "-"
        yield f"{start}{told:>11}   " + ", ".join(self.besides(name, case, official))
        yield from (f"    DIFFERS: {key}" for key in made if key not in equal)

    def besides(self, name: str, case: dict[str, Any], official: Official) -> Iterator[str]:
        """Token ids with special tokens, reference codes and the speaker encoder, each with its verdict."""
        ids = token_ids(official, self.plan["texts"])
        config, tokenizer = official.model.config, official.tts.processor.tokenizer
        special = all(tokenizer.convert_tokens_to_ids(text) == getattr(config, key) for key, text in SPECIAL.items())
        yield f"token ids {verdict(special and ids == case['ids'])}"
        self.ids |= ids
        if case["kind"] == "base":
            self.names[case["base"]] = sorted(official.model.state_dict())
        if f"{name}/embedding" not in self.kathrines:
            return
        item = official.prompt(self.voice, self.plan["reference_text"])
        same = np.array_equal(item.ref_code.numpy(), self.kathrines[f"{name}/reference_codes"].numpy())
        yield f"reference codes {verdict(same)}"
        weights, embedding = official.model.speaker_encoder.state_dict(), item.ref_spk_embedding.float().cpu()
        first_weights, first = self.encoders.setdefault(case["base"], (weights, embedding))
        same = all(torch.equal(value, weights[key]) for key, value in first_weights.items())
        away = max(float((embedding - other).abs().max()) for other in (first, self.kathrines[f"{name}/embedding"]))
        same = same and away < EMBEDDING_TOLERANCE
        yield f"speaker encoder {verdict(same)} (embedding within {away:.0e})"

    def write(self, path: Path, versions: dict[str, str]) -> None:
        """What tests/official compares with."""
        save_file(self.codes, path.with_suffix(".safetensors"), metadata={"format": "pt"})
        path.with_suffix(".safetensors").chmod(0o644)
        names = {Path(base).name: found for base, found in self.names.items()}
        facts = {"versions": versions, "frames": self.plan["frames"], "ids": self.ids, "names": names}
        text = re.sub(r"\n {3,}|\n {2}(?=[]}])", " ", json.dumps(facts, indent=1, ensure_ascii=False))
        path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")


def verdict(same: bool) -> str:
    return "equal" if same else "DIFFERS"


def main(folder: Path, record: Path | None) -> int:
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    official_class()
    comparison = Comparison(folder)
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    print("official:", ", ".join(f"{package} {version}" for package, version in versions.items()))
    print("kathrine:", ", ".join(f"{package} {version}" for package, version in comparison.plan["versions"].items()))
    print(f"\n{'loaded from':<46}{'codes equal':<11} frames {'moved':>7}   besides")
    failed = 0
    for line in comparison.lines():
        failed += "DIFFERS" in line
        print(line, flush=True)
    print(f"\n{f'{failed} lines differ' if failed else 'everything is equal'}")
    if record is not None and not failed:
        comparison.write(record, versions)
    return 1 if failed else 0


if __name__ == "__main__":
    words = sys.argv[1:]
    recorded = Path(words[words.index("--record") + 1]) if "--record" in words else None
    raise SystemExit(main(Path(words[0]), recorded))
