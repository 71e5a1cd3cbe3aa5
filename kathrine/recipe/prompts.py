"""`[prompt]` and what a model can be asked in: shares of forms that it does not have, told and left out. No torch."""

from __future__ import annotations

from collections.abc import Iterable

from kathrine.recipe.tables import PromptTable
from kathrine.types import ModelFacts


def fitting_prompt(prompt: PromptTable, facts: ModelFacts) -> PromptTable:
    """The shares as they count for a model: all of the only layout there is, nothing of a form that it lacks."""
    streamed = prompt.streamed if "whole" in facts.text_layouts else 1.0
    return prompt.model_copy(
        update={
            "streamed": streamed if "streamed" in facts.text_layouts else 0.0,
            "in_context": prompt.in_context if "in_context" in facts.prompt_forms else 0.0,
            "language_tag": prompt.language_tag if facts.language_tags else 0.0,
        }
    )


def prompt_notes(prompt: PromptTable, facts: ModelFacts, language: str, tags: Iterable[str]) -> list[str]:
    """A sentence for each share of `[prompt]` that counts differently than it is written.

    Given: language, name of the recipe's tag or an empty string; tags, of the model and of the strategies.
    """
    fitting, notes = fitting_prompt(prompt, facts), []
    if fitting.streamed != prompt.streamed:
        where = "beside" if fitting.streamed else "in front of"
        notes.append(
            f"{facts.family} has the text {where} the frames only: prompt.streamed = {prompt.streamed:g} counts as "
            f"{fitting.streamed:g}"
        )
    if fitting.in_context != prompt.in_context:
        share = f"prompt.in_context = {prompt.in_context:g} counts as 0"
        notes.append(f"{facts.family} takes no recordings into its prompts: {share}")
    if not fitting.in_context and facts.prompt_forms[0] == "plain":
        notes.append(
            f"no prompt says whose voice is wanted: {facts.family} takes it from recordings, by prompt.in_context"
        )
    if prompt.language_tag and not facts.language_tags:
        notes.append(
            f"{facts.family} has no language tags: prompt.language_tag = {prompt.language_tag:g} counts as 0, every "
            "prompt is auto"
        )
    elif prompt.language_tag and language not in {*facts.languages, *tags}:
        what = f"'{language}' has no language tag here" if language else "the recipe names no language"
        notes.append(
            f"{what}: every prompt is auto, whatever prompt.language_tag says; strategy.language_tag gives one"
        )
    return notes


def shares_of(prompt: PromptTable, facts: ModelFacts | None) -> dict[str, float]:
    """Share of each combination that `[prompt]` asks for; the draws are independent of each other. Without facts, of
    those that most models have."""
    forms, layouts = ("speaker", "in_context"), ("streamed", "whole")
    if facts is not None:
        prompt, forms, layouts = fitting_prompt(prompt, facts), facts.prompt_forms, facts.text_layouts  # type: ignore[assignment]
    of_form = {"in_context": prompt.in_context, forms[0]: 1 - prompt.in_context}
    of_layout = {"streamed": prompt.streamed, "whole": 1 - prompt.streamed}
    shares = {f"{form} + {layout}": of_form.get(form, 0.0) * of_layout[layout] for form in forms for layout in layouts}
    return {**shares, "language tag": prompt.language_tag, "auto": 1 - prompt.language_tag}
