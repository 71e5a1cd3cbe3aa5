"""The TOML writer and the line scanner, against tomllib and each other."""

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kathrine.recipe.positions import key_lines
from kathrine.recipe.tomlwriter import toml_text, toml_value

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PLAIN = st.one_of(st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False), TEXT)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(TEXT, VALUES, max_size=5)


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS)
def test_what_is_written_reads_back_equal(document):
    assert tomllib.loads(toml_text(document)) == document


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS)
def test_every_key_has_a_line_that_holds_it(document):
    text = toml_text(document)
    lines = key_lines(text)
    rows = text.split("\n")
    for path in _paths(document):
        assert path in lines, path
        if isinstance(path[-1], str) and path[-1].isascii() and path[-1].isalnum():
            assert path[-1] in rows[lines[path] - 1]


def _paths(value, path=()):
    if path:
        yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        yield from _paths(entry, (*path, key))


def test_lines_of_hand_written_toml():
    text = '''# a comment with [brackets] and = signs
title = "a # no comment"
[run]
seed = 1
a.b . "c d" = 2  # dotted
lines = """
[not.a.table]
x = 1 \\""" """
raw = \'\'\'
y = 2\'\'\'
list = [
  1, # one
  { deep = 3, more.x = [1] },
]
[[data]]
source = "npsc"
[data.variants]
text = 1.0
[[data]]
source = "librivox"
variants = {text = 0.5, other = 0.5}
["odd.name".x]
k = 1
'''
    tomllib.loads(text)
    lines = key_lines(text)
    assert lines["title",] == 2
    assert lines["run", "a", "b", "c d"] == 5
    assert ("not",) not in lines and ("run", "x") not in lines and ("run", "y") not in lines
    assert lines["run", "raw"] == 9
    assert lines["run", "list", 1] == 13 and lines["run", "list", 1, "more", "x"] == 13
    assert lines["data", 0] == 15 and lines["data", 0, "variants", "text"] == 18
    assert lines["data", 1, "source"] == 20 and lines["data", 1, "variants", "other"] == 21
    assert lines["odd.name", "x", "k"] == 23


def test_windows_line_ends():
    assert key_lines("a = 1\r\n\r\nb = 2\r\n")["b",] == 3


def test_no_form_for_none():
    with pytest.raises(TypeError, match="NoneType"):
        toml_value(None)


def test_tables_follow_plain_values():
    document = {"t": {"x": 1}, "plain": 2, "data": [{"name": "a", "v": {"text": 1.0}}, {"name": "b"}]}
    assert tomllib.loads(toml_text(document)) == document
    assert toml_text(document).startswith("plain = 2")
