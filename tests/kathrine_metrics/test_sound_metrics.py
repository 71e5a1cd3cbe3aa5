"""Metrics of the sound itself: voice, signal, pitch, pauses and breaths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from kathrine import KathrineError, MetricContext, Workspace
from kathrine.progress import SilentProgress
from kathrine_metrics import Prosody, Signal, Similarity, pitch
from kathrine_metrics.prosody import distances, prosody_of

HUMAN = Path(__file__).resolve().parents[1] / "data" / "librivox-human"
RATE = 16000


def context(**more) -> MetricContext:
    return MetricContext(Workspace.default(), SilentProgress(), **more)


def human(name: str = "sense_and_sensibility_0890.wav") -> np.ndarray:
    return soundfile.read(HUMAN / name, dtype="float32")[0]


def voice(hertz: float, seconds: float, rate: int = RATE) -> np.ndarray:
    """Harmonics that fall off like a voice's."""
    time = np.arange(int(seconds * rate)) / rate
    return (0.2 * sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 12))).astype(np.float32)


@pytest.mark.parametrize("how", ["praat", "autocorrelation"])
@pytest.mark.parametrize("hertz", [80.0, 131.0, 262.0, 420.0])
def test_pitch_of_a_known_voice(how: str, hertz: float) -> None:
    found = pitch.f0(voice(hertz, 0.6), RATE, how)
    assert np.median(found[found > 0]) == pytest.approx(hertz, rel=0.01)
    assert np.mean(found > 0) > 0.9


def test_noise_and_silence_have_no_pitch() -> None:
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) * 0.1
    assert np.mean(pitch.autocorrelation(noise, RATE) > 0) < 0.1
    for how in ("praat", "autocorrelation"):
        assert not pitch.f0(np.zeros(RATE, dtype=np.float32), RATE, how).any()
        assert pitch.f0(np.zeros(10, dtype=np.float32), RATE, how).size == 0


def test_own_pitch_agrees_with_praat_on_a_human() -> None:
    wave = human()
    both = [np.median(found[found > 0]) for found in (pitch.praat(wave, RATE), pitch.autocorrelation(wave, RATE))]
    assert abs(12 * np.log2(both[0] / both[1])) < 1.0  # a semitone


def test_pauses_and_breaths_are_counted() -> None:
    random = np.random.default_rng(1)
    gap = np.zeros(int(0.5 * RATE), dtype=np.float32)
    breath = gap.copy()
    breath[1000:7000] = 0.004 * random.standard_normal(6000)  # about 33 dB under the voice, flat
    parts = [voice(120, 1.0), gap, voice(120, 1.0), breath, voice(120, 1.0)]
    found = prosody_of(np.concatenate(parts), RATE, "autocorrelation", "a" * 30)
    minutes = 4.0 / 60
    assert found["pauses"] == pytest.approx(2 / minutes, rel=0.03)
    assert found["breaths"] == pytest.approx(1 / minutes, rel=0.03)
    assert found["paused"] == pytest.approx(0.25, abs=0.03) and found["rate"] == pytest.approx(10, rel=0.05)
    assert found["f0_range"] < 0.2


def test_distances_from_the_reference() -> None:
    own, reference = prosody_of(voice(120, 1), RATE), prosody_of(voice(240, 1), RATE)
    found = distances(own, reference)
    assert found["f0_distance"] == pytest.approx(12, abs=0.2) and found["pause_distance"] == 0
    assert distances({}, reference) == {}


def test_prosody_says_what_measured_it(monkeypatch) -> None:
    metric = Prosody(Prosody.Options(pitch="auto"))
    assert metric.available() == "" and metric.open(context()).model.startswith("praat ")
    row = metric.score(human(), RATE, "unless to be rather", human())
    assert row["f0_distance"] == 0 and 70 < row["f0_hz"] < 130
    assert metric.score(np.zeros(RATE, dtype=np.float32), RATE, "x", None) == {}
    own = Prosody(Prosody.Options(pitch="autocorrelation"))
    assert own.open(context()).model == "autocorrelation"
    monkeypatch.setattr(pitch, "find_spec", lambda name: None)
    assert Prosody().open(context()).model == "autocorrelation"
    assert "kathrine[prosody]" in Prosody(Prosody.Options(pitch="praat")).available()


def test_signal_orders_noise_and_is_never_called_naturalness(monkeypatch) -> None:
    metric = Signal()
    assert metric.available() == ""
    facts = metric.open(context())
    assert facts.caption == "signal quality" and len(facts.model_hash) == 64
    wave, random = human(), np.random.default_rng(0)
    level = float(np.sqrt(np.mean(wave**2)))
    noisy = [wave + random.standard_normal(len(wave)).astype(np.float32) * level / 10 ** (db / 20) for db in (20, 5)]
    scores = [metric.score(one, RATE, "", None)["dnsmos"] for one in (wave, *noisy)]
    assert scores[0] > scores[1] > scores[2]
    monkeypatch.setattr("kathrine.corpus.dnsmos.find_spec", lambda name: None)
    assert "DNSMOS needs" in metric.available()


# --------------------------------------------------------------------------- voice


@pytest.fixture(scope="module")
def tiny_wavlm(tmp_path_factory) -> Path:
    """Random weights: they show the plumbing, and nothing about voices."""
    import torch
    from transformers import Wav2Vec2FeatureExtractor, WavLMConfig, WavLMForXVector

    folder = tmp_path_factory.mktemp("wavlm")
    torch.manual_seed(0)
    config = WavLMConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, conv_dim=(16, 16, 16),
        conv_stride=(5, 4, 4), conv_kernel=(10, 8, 8), num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2,
        tdnn_dim=(16, 16), tdnn_kernel=(5, 1), tdnn_dilation=(1, 1), xvector_output_dim=12,
    )  # fmt: skip
    WavLMForXVector(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


def test_similarity_through_a_named_model(tiny_wavlm: Path) -> None:
    metric = Similarity(Similarity.Options(model=str(tiny_wavlm), device="cpu"))
    facts = metric.open(context())
    assert facts.model == str(tiny_wavlm) and len(facts.model_hash) == 64
    wave = human()
    assert metric.score(wave, RATE, "", wave)["similarity"] == pytest.approx(1.0, abs=1e-5)
    other = metric.score(voice(200, 1.5), RATE, "", wave)["similarity"]
    assert -1 <= other < 0.9999
    assert metric.score(wave, RATE, "", None) == {} and metric.score(wave[:100], RATE, "", wave) == {}


def test_the_models_own_encoder_is_labelled_smoke() -> None:
    heard: list[int] = []

    def encoder(wave: np.ndarray) -> np.ndarray:
        heard.append(len(wave))
        return np.array([1.0, 0.0]) if len(heard) == 1 else np.array([1.0, 1.0])

    metric = Similarity(Similarity.Options(model="own"))
    facts = metric.open(context(speaker_encoder=encoder, sample_rate=24000))
    assert "smoke" in facts.caption
    row = metric.score(voice(100, 1), RATE, "", voice(100, 2))
    assert row["similarity"] == pytest.approx(2**-0.5) and heard == [48000, 24000]  # at the encoder's own rate
    with pytest.raises(KathrineError, match="no speaker encoder"):
        metric.open(context())


def test_models_of_another_kind_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"architectures": ["BertModel"]}')
    for files, said in (((), "holds no weights"), (("model.safetensors",), "is a BertModel")):
        for name in files:
            (tmp_path / name).write_bytes(b"x")
        with pytest.raises(KathrineError, match=said):
            Similarity(Similarity.Options(model=str(tmp_path))).open(context())
    with pytest.raises(KathrineError, match="no folder and no id"):
        Similarity(Similarity.Options(model="wavlm")).open(context())
    with pytest.raises(KathrineError, match="can not be fetched; run once with a network"):
        try:
            Similarity().open(MetricContext(Workspace(tmp_path / "ws"), SilentProgress(), offline=True))
        except KathrineError as error:
            raise KathrineError(error.sentence) from error
