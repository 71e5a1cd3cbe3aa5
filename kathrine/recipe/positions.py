"""On which line of a TOML text a key stands.

tomllib gives values without places. This scanner walks over a text that tomllib has already accepted, so that
it may trust the syntax: it only has to know where keys, strings, brackets and comments begin and end.
"""

from __future__ import annotations

import tomllib

KeyPath = tuple[str | int, ...]
"""Keys from the root; an integer is a place in an array."""


def key_lines(text: str) -> dict[KeyPath, int]:
    """Line (from 1) of every key and table header of a valid TOML text.

    A table gets the line of its header, or of the first key that implies it; an element of an array of tables
    its `[[header]]`; an inline table in an array its opening brace.
    """
    return _Scanner(text.replace("\r\n", "\n")).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self.counts: dict[KeyPath, int] = {}  # arrays of tables: how many elements so far

    def scan(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        while self._skip(newlines=True):
            line = self._line()
            if self.text.startswith("[[", self.at):
                self.at += 2
                *parents, last = self._key()
                path = (*self._resolve(parents), last)
                index = self.counts.get(path, 0)
                self.counts[path] = index + 1
                table = (*path, index)
                self.at += 2
                self._record(table, line)
            elif self.text[self.at] == "[":
                self.at += 1
                table = self._resolve(self._key())
                self.at += 1
                self._record(table, line)
            else:
                self._pair(table)
        return self.lines

    def _resolve(self, keys: list[str]) -> KeyPath:
        """A header's path, with the current element put in where it goes through an array of tables."""
        path: KeyPath = ()
        for key in keys:
            path = (*path, key)
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
        return path

    def _record(self, path: KeyPath, line: int) -> None:
        for end in range(1, len(path) + 1):
            self.lines.setdefault(path[:end], line)

    def _line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

    def _skip(self, newlines: bool) -> bool:
        """Past blanks and comments; False at the end of the text."""
        blank = " \t\n" if newlines else " \t"
        while self.at < len(self.text):
            if self.text[self.at] in blank:
                self.at += 1
            elif newlines and self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                return True
        return False

    def _key(self) -> list[str]:
        """A dotted key; stands on what follows it afterwards."""
        keys = []
        while True:
            self._skip(newlines=False)
            start = self.at
            if self.text[start] in "\"'":
                self._string()
            else:
                while self.text[self.at] not in " \t.=]":
                    self.at += 1
            word = self.text[start : self.at]
            keys.append(str(tomllib.loads(f"key = {word}")["key"]) if word[0] in "\"'" else word)
            self._skip(newlines=False)
            if self.text[self.at] != ".":
                return keys
            self.at += 1

    def _pair(self, table: KeyPath) -> None:
        line = self._line()
        path = (*table, *self._key())
        self.at += 1  # the equals sign
        self._record(path, line)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        self._skip(newlines=False)
        first = self.text[self.at]
        if first in "\"'":
            self._string()
        elif first == "[":
            self._array(path)
        elif first == "{":
            self._inline(path)
        else:
            while self.at < len(self.text) and self.text[self.at] not in ",]}#\n":
                self.at += 1

    def _array(self, path: KeyPath) -> None:
        self.at += 1
        index = 0
        while self._skip(newlines=True) and self.text[self.at] != "]":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self.lines.setdefault((*path, index), self._line())
            self._value((*path, index))
            index += 1
        self.at += 1

    def _inline(self, path: KeyPath) -> None:
        self.at += 1
        while self._skip(newlines=True) and self.text[self.at] != "}":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self._pair(path)
        self.at += 1

    def _string(self) -> None:
        quote = self.text[self.at]
        if self.text.startswith(quote * 3, self.at):
            self.at += 3
            while not self.text.startswith(quote * 3, self.at):
                self.at += 2 if self.text[self.at] == "\\" and quote == '"' else 1
            self.at += 3
            for _ in range(2):  # up to two quotes may stand directly before the closing three
                if self.text.startswith(quote, self.at):
                    self.at += 1
            return
        self.at += 1
        while self.text[self.at] != quote:
            self.at += 2 if self.text[self.at] == "\\" and quote == '"' else 1
        self.at += 1
