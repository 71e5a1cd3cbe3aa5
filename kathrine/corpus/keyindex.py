"""Which shard holds a key, for millions of keys: 20 bytes each, where a dictionary takes 200."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

LOOSE = 65536
"""Keys kept in a dictionary until they are sorted into the arrays."""


def _halves(key: str) -> tuple[int, int]:
    """Two 64-bit numbers that stand for a key: at 128 bits two keys never meet."""
    content = hashlib.blake2b(key.encode(), digest_size=16).digest()
    return int.from_bytes(content[:8], "big"), int.from_bytes(content[8:], "big")


class KeyIndex:
    """Key -> number of its shard."""

    def __init__(self) -> None:
        self._high_K = np.zeros(0, np.uint64)
        self._low_K = np.zeros(0, np.uint64)
        self._shard_K = np.zeros(0, np.int32)
        self._loose: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        return len(self._shard_K) + len(self._loose)

    def add(self, keys: Iterable[str], shard: int) -> None:
        """Note keys that are not there yet, or lie in another shard as well: then the first one stays."""
        for key in keys:
            halves = _halves(key)
            if self._find(halves) is None:
                self._loose[halves] = shard
        if len(self._loose) >= LOOSE:
            self._sort_in()

    def find(self, key: str) -> int | None:
        """The shard that holds a key, or None."""
        return self._find(_halves(key))

    def _find(self, halves: tuple[int, int]) -> int | None:
        if halves in self._loose:
            return self._loose[halves]
        high, low = np.uint64(halves[0]), np.uint64(halves[1])
        place = int(np.searchsorted(self._high_K, high))
        while place < len(self._high_K) and self._high_K[place] == high:
            if self._low_K[place] == low:
                return int(self._shard_K[place])
            place += 1
        return None

    def _sort_in(self) -> None:
        high_K = np.concatenate([self._high_K, np.array([high for high, _ in self._loose], np.uint64)])
        low_K = np.concatenate([self._low_K, np.array([low for _, low in self._loose], np.uint64)])
        shard_K = np.concatenate([self._shard_K, np.array(list(self._loose.values()), np.int32)])
        order_K = np.argsort(high_K, kind="stable")
        self._high_K, self._low_K, self._shard_K = high_K[order_K], low_K[order_K], shard_K[order_K]
        self._loose = {}
