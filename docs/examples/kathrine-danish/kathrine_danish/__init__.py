"""Danish for kathrine: a language, a source for folders of recordings, and recipes."""

from pathlib import Path

import kathrine

from kathrine_danish.folder import DanishFolder
from kathrine_danish.language import Danish


@kathrine.hookimpl
def kathrine_languages():
    return [Danish]


@kathrine.hookimpl
def kathrine_sources():
    return [DanishFolder]


@kathrine.hookimpl
def kathrine_recipes():
    return [Path(__file__).parent / "recipes"]
