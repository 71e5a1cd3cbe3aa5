"""Cards: whether one is complete, by kathrine's rule (`kathrine.cards`) and by the Hub's own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kathrine.cards import advisable_fields, front_matter, missing_fields
from kathrine.components import Exporter, PlannedRun, Progress
from kathrine.errors import KathrineError


def local_card_problems(exporter: Exporter, plan: PlannedRun, progress: Progress) -> Iterator[str]:
    """What a card lacks. What it may lack is told as a warning."""
    try:
        told = exporter.card_metadata(plan)
    except KathrineError as error:
        yield f"the card of export.{exporter.label}: {error.sentence}"
        return
    if told is None:
        return
    for sentence in missing_fields(told, exporter.holds):
        yield f"export.{exporter.label}: {sentence}"
    for sentence in advisable_fields(told, exporter.holds):
        progress.warn(f"export.{exporter.label}: {sentence}")


def hub_card_problems(exporter: Exporter, plan: PlannedRun) -> Iterator[str]:
    """What the Hub itself says of a card, beside what `local_card_problems` says."""
    try:
        told = exporter.card_metadata(plan)
    except KathrineError:
        return  # said already
    if told is None:
        return
    for message in refused(f"{front_matter(told)}\n", exporter.holds):
        if not said_already(message, told, exporter):
            yield f"export.{exporter.label}: the Hub does not take its card: {message}; its options say what it tells"


def said_already(message: str, metadata: Mapping[str, Any], exporter: Exporter) -> bool:
    """Whether the field that a message of the Hub begins with is one that the card lacks by kathrine's rule."""
    field = re.match(r'"(\w+)"', message)
    if field is None:
        return False
    lacks = f"the card has no {field[1]}: "
    return any(one.startswith(lacks) for one in missing_fields(metadata, exporter.holds))


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
