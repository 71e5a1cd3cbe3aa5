"""Cards: whether one is complete, by kathrine's rule and by the Hub's own."""

from __future__ import annotations

import json
from collections.abc import Iterator

from kathrine.components import Exporter, PlannedRun
from kathrine.errors import KathrineError

FILLED = ("license", "language", "tags")
"""Fields that no card may leave empty."""
OF_MODELS = ("base_model", "pipeline_tag", "library_name")
"""Fields that no card of a model may leave empty; it also says which `datasets` it knows of, which may be none."""


def local_card_problems(exporter: Exporter, plan: PlannedRun) -> Iterator[str]:
    """What a card lacks, in the Hub's own words."""
    try:
        told = exporter.card_metadata(plan)
    except KathrineError as error:
        yield f"the card of export.{exporter.label}: {error.sentence}"
        return
    if told is None:
        return
    model = exporter.holds == "model"
    for name in (*FILLED, *(OF_MODELS if model else ())):
        if name not in told:
            yield card_sentence(exporter, f'"{name}" is required')
        elif not told[name]:
            yield card_sentence(exporter, f'"{name}" is not allowed to be empty')
    if model and "datasets" not in told:
        yield card_sentence(exporter, '"datasets" is required')


def card_sentence(exporter: Exporter, message: str) -> str:
    return f"the card of export.{exporter.label}: {message}; its options in [export.{exporter.label}] say what it tells"


def hub_card_problems(exporter: Exporter, plan: PlannedRun) -> Iterator[str]:
    """What the Hub itself says of a card, beside what `local_card_problems` says."""
    import yaml

    try:
        told = exporter.card_metadata(plan)
    except KathrineError:
        return  # said already
    if told is None:
        return
    known = set(local_card_problems(exporter, plan))
    text = yaml.safe_dump(dict(told), allow_unicode=True, sort_keys=False)
    for message in refused(f"---\n{text}---\n", exporter.holds):
        sentence = card_sentence(exporter, message)
        if sentence not in known:
            yield sentence


def refused(card: str, kind: str) -> list[str]:
    """What the Hub says of a card that it would not take; empty where it takes it. kind: model or dataset."""
    from huggingface_hub import constants
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    # The text as it is: the client's ModelCard writes it anew first, and leaves out what is empty.
    answer = get_session().post(
        f"{constants.ENDPOINT}/api/validate-yaml", json={"content": card, "repoType": kind}, headers=build_hf_headers()
    )
    if answer.status_code == 400:
        return messages(answer.text)
    hf_raise_for_status(answer)
    return []


def messages(answer: str) -> list[str]:
    """The sentences of a refusal of `validate-yaml`."""
    try:
        found = [str(one.get("message", one)) for one in json.loads(answer).get("errors", [])]
    except (ValueError, AttributeError):
        found = []
    return found or [answer.strip().splitlines()[0] if answer.strip() else "the Hub refuses it"]
