"""Language `generic`, by name: for recipes that set its options."""

import kathrine


@kathrine.hookimpl
def kathrine_languages():
    return [kathrine.GenericLanguage]
