"""How a checkpoint or an adapter is used in the official package, as code for cards. Facts of qwen-tts 0.1.1."""

from __future__ import annotations

from collections.abc import Collection, Mapping

LIBRARY = "qwen-tts"


def speaking_code(place: str, text: str, language: str, speaker: str = "") -> str:
    """Load a checkpoint and say a text: in one of its own voices, or in a recording's. place, text: expressions."""
    tag = f'"{language}"' if language else '"Auto"'
    lines = [
        "import soundfile",
        "from qwen_tts import Qwen3TTSModel",
        "",
        f"tts = Qwen3TTSModel.from_pretrained({place})",
        *_call(text, tag, speaker),
    ]
    return "\n".join(lines)


def _call(text: str, tag: str, speaker: str) -> list[str]:
    if speaker:
        said = [f'waves, rate = tts.generate_custom_voice(text={text}, language={tag}, speaker="{speaker}")']
    else:
        said = [
            "waves, rate = tts.generate_voice_clone(",
            f'    text={text}, language={tag}, ref_audio="voice.wav", x_vector_only_mode=True',
            ")",
        ]
    return [*said, 'soundfile.write("spoken.wav", waves[0], rate)']


def adapter_code(base: str, folder: str, text: str, parts: Collection[str], languages: Mapping[str, int]) -> str:
    """Put an adapter onto the official model and say a text. base, folder, text: expressions."""
    lines = ["import soundfile", "import torch"]
    lines += ["from peft import PeftModel"] if "lora" in parts else []
    lines += ["from qwen_tts import Qwen3TTSModel"]
    lines += ["from safetensors.torch import load_file"] if {"trained", "language_tag"} & set(parts) else []
    lines += ["", f"folder = {folder}", f"tts = Qwen3TTSModel.from_pretrained({base})", "model = tts.model"]
    if "trained" in parts:
        lines.append('model.load_state_dict(load_file(f"{folder}/trained.safetensors"), strict=False)')
    if "text_projection" in parts:
        lines += [
            'projection = torch.load(f"{folder}/text_projection.bin", weights_only=True)',
            "model.talker.text_projection.load_state_dict(projection)",
        ]
    for language, row in languages.items():
        lines += [
            f'tag = load_file(f"{{folder}}/language_tag.safetensors")["{language}"]',
            f"model.talker.model.codec_embedding.weight.data[{row}] = tag",
            f'model.config.talker_config.codec_language_id["{language}"] = {row}',
            f'model.supported_languages.append("{language}")',
        ]
    if "lora" in parts:
        lines.append("PeftModel.from_pretrained(model, folder)  # puts its layers into the model")
    tag = f'"{next(iter(languages))}"' if languages else '"Auto"'
    return "\n".join([*lines, *_call(text, tag, "")])
