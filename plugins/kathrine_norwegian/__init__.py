"""Language `norwegian`: bokmål and nynorsk."""

import kathrine
from kathrine_norwegian.language import NorwegianLanguage


@kathrine.hookimpl
def kathrine_languages():
    return [NorwegianLanguage]
