"""First half of the proof in docs/official-package.md, under kathrine's Python: train, export, speak, write down.

    python docs/proof/kathrine_half.py FOLDER [--set KEY=VALUE ...]

Trains one run for each golden checkpoint by docs/proof/official.toml with `kathrine run`, and lets kathrine speak,
greedily, from every export of it; --set is handed to that command, for more exports. FOLDER then holds what
`official_half.py` needs in its own environment:

    base/NAME  run/NAME     base checkpoints, run folders with their exports
    voice.wav               the reference, 24 kHz
    plan.json               cases: which folder, what is asked of it
    kathrine.safetensors    `CASE/REQUEST`: codes [T, 16]; `CASE/embedding`, `CASE/reference_codes`: of voice.wav
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from safetensors.numpy import load_file, save_file

from kathrine import SpeechModel, Workspace
from kathrine.cli.main import run as kathrine
from kathrine.types import Sampling, SpeechRequest
from kathrine_checkpoint import load_adapter
from kathrine_qwen3_tts import Qwen3TtsFamily
from kathrine_qwen3_tts.text import TextTokenizer, target_template

ROOT = Path(__file__).resolve().parents[2]
GOLD = ROOT / "tests" / "data" / "gold"
RECIPE = Path(__file__).with_name("official.toml")
CHECKPOINTS = ("tiny-0b6", "tiny-1b7")
TAG = "norwegian"
PACKAGES = ("kathrine", "transformers", "torch", "peft", "numpy", "tokenizers")

FRAMES = 24
GREEDY = Sampling(greedy=True, sub_greedy=True)

REFERENCE_TEXT = "Dette er en prøve."
SHORT = "Kjære Kjersti, det er hyggelig å se deg."
LONG = "Ærlig talt: Øystein sa «I'm here», og BlåTann på iPhone-en min åpnet seg 17. mai – så rart!"
LETTERS = "Blåbærsyltetøy på Ærø, Østre Ås og Åsnes"
TRAPS = ["Kjære <|im_end|>\n<|im_start|>assistant\n", "Čáhci, á́, a\u030a 🙂 <tts_pad>"]
TEXTS = [SHORT, LONG, REFERENCE_TEXT, LETTERS, *TRAPS]
"""The traps spell out special tokens and letters in two parts; they are for the text tokenizer alone."""


def clone_requests() -> dict[str, dict[str, Any]]:
    """Every prompt form of a `base` checkpoint; language None is auto."""
    requests = {}
    for form in ("speaker", "in context"):
        for language in (TAG, "english", None):
            for streamed in (True, False):
                name = f"{form}, {language or 'auto'}, {'streamed' if streamed else 'whole'}"
                text = LONG if (language is None) == streamed else SHORT
                requests[name] = {
                    "text": text,
                    "language": language,
                    "streamed": streamed,
                    "reference_text": REFERENCE_TEXT if form == "in context" else None,
                }
    return requests


def named_requests(speakers: list[str]) -> dict[str, dict[str, Any]]:
    """Every prompt form of a `custom_voice` checkpoint."""
    return {
        f"{speaker}, {language or 'auto'}, {'streamed' if streamed else 'whole'}": {
            "text": SHORT,
            "language": language,
            "streamed": streamed,
            "speaker": speaker,
        }
        for speaker in speakers
        for language in (TAG, None)
        for streamed in (True, False)
    }


def base_without_norwegian(name: str, folder: Path) -> Path:
    """A golden checkpoint without the tag that it gives to Norwegian: the run has to bring its own."""
    shutil.copytree(GOLD / name, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    del config["talker_config"]["codec_language_id"][TAG]
    (folder / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False), encoding="utf-8")
    return folder


def train(base: Path, folder: Path, more: list[str]) -> None:
    settings = ["--set", f"model.qwen3_tts.checkpoint={base}", "--set", f"run.folder={folder}", *more]
    if kathrine(["run", str(RECIPE), *settings]) != 0:
        raise SystemExit(f"the run in {folder} failed")


def reference_wave(folder: Path) -> Path:
    """A golden clip of whole frames, in 16 bits as it is stored."""
    clip = load_file(GOLD / "tiny-0b6.gold" / "gold.safetensors")["clip/c_exact/wave_int16"]
    path = folder / "voice.wav"
    soundfile.write(path, clip.astype(np.int16), 24000, subtype="PCM_16")
    return path


def complete(case: dict[str, Any]) -> Path:
    """The complete checkpoint of a case: an adapter has it from its base."""
    return case["base"] if case["kind"] == "adapter" else case["folder"]


def cases_of(base: Path, exports: Path) -> dict[str, dict[str, Any]]:
    """The base, and every export of a folder, with what is asked of them."""
    cases = {f"{base.name} base": {"kind": "base", "folder": base, "base": base}}
    for export in sorted(exports.iterdir()):
        kind = "complete" if (export / "config.json").is_file() else "adapter"
        cases[f"{base.name} {export.name}"] = {"kind": kind, "folder": export, "base": base}
    for case in cases.values():
        config = json.loads((complete(case) / "config.json").read_text(encoding="utf-8"))
        speakers = sorted(config["talker_config"].get("spk_id") or {})
        case["requests"] = named_requests(speakers) if config["tts_model_type"] == "custom_voice" else clone_requests()
        if case["kind"] == "base":
            case["requests"] = {name: one for name, one in case["requests"].items() if one["language"] != TAG}
    return cases


def speak(case: dict[str, Any], voice: Path, workspace: Workspace, frames: int = FRAMES) -> dict[str, np.ndarray]:
    """What kathrine makes of a case, float32 on the CPU."""
    family = family_of(complete(case))
    model = family.load(workspace)
    if case["kind"] == "adapter":
        load_adapter(model, case["folder"])
    wave, _ = soundfile.read(voice, dtype="float32")
    found: dict[str, np.ndarray] = {}
    embed = family.open_speaker_encoder(workspace)
    if embed is not None:
        found["embedding"] = embed(wave)
    found["reference_codes"] = family.open_codec(workspace).encode([wave])[0].astype(np.int16)
    text = family.open_text(workspace)
    for name, request in case["requests"].items():
        found[name] = codes_of(model, request, text, found, frames)
    return found


def family_of(folder: Path) -> Qwen3TtsFamily:
    return Qwen3TtsFamily(Qwen3TtsFamily.Options(checkpoint=str(folder)))


def codes_of(
    model: SpeechModel, request: dict[str, Any], text: Any, voice: dict[str, np.ndarray], frames: int
) -> np.ndarray:
    """One request, alone: codes [T, Q]."""
    in_context = request.get("reference_text")
    asked = SpeechRequest(
        text(request["text"]),
        speaker_embedding_H=None if request.get("speaker") else voice["embedding"],
        speaker=request.get("speaker"),
        language=request["language"],
        streamed=request["streamed"],
        reference_codes_RQ=voice["reference_codes"] if in_context else None,
        reference_text_ids=text(in_context) if in_context else (),
    )
    (made,) = model.generate([asked], GREEDY, frames)
    return made.codes_TQ


def write_plan(folder: Path, cases: dict[str, dict[str, Any]], workspace: Workspace, frames: int = FRAMES) -> None:
    """Let kathrine speak all cases, and write down what was asked and what came out."""
    voice = reference_wave(folder)
    codes = {
        f"{name}/{key}": np.ascontiguousarray(value)
        for name, case in cases.items()
        for key, value in speak(case, voice, workspace, frames).items()
    }
    save_file(codes, folder / "kathrine.safetensors")
    for case in cases.values():
        tokenizer = TextTokenizer(complete(case))
        case["ids"] = {text: tokenizer.encode(target_template(text)) for text in TEXTS}
        case |= {key: str(case[key].relative_to(folder)) for key in ("folder", "base")}
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    texts = {"texts": TEXTS, "reference_text": REFERENCE_TEXT}
    plan = {"versions": versions, "frames": frames, **texts, "cases": cases}
    (folder / "plan.json").write_text(json.dumps(plan, indent=1, ensure_ascii=False), encoding="utf-8")


def main(folder: Path, more: list[str]) -> None:
    folder.mkdir(parents=True)
    reference_wave(folder)  # here already, so that --set may name it
    cases = {}
    for name in CHECKPOINTS:
        base, run = base_without_norwegian(name, folder / "base" / name), folder / "run" / name
        train(base, run, more)
        cases |= cases_of(base, run / "export")
    write_plan(folder, cases, Workspace.default())
    print(f"{sum(len(case['requests']) for case in cases.values())} requests of {len(cases)} models in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2:])
