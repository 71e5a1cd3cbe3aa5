"""The contract of a source: the same utterances every time, and nothing fetched twice."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from kathrine.components import Source, SourceContext
from kathrine.progress import SilentProgress
from kathrine.testing.problems import Contract, fresh, listed
from kathrine.testing.watching import no_network, written_files
from kathrine.types import Part, Split, Utterance
from kathrine.workspace import Workspace

PARTS = 2


def check_source(source: Source, workspace: Workspace, **wishes: Any) -> list[Utterance]:
    """A source keeps its contract.

    Prepare twice is harmless and fetches nothing again; utterances come in the same order, from another instance and
    without network too, with unique ids and a text; what it counts as left out is the same every time; the parts of a
    source that splits are the whole, one after another.

    Given: a source whose data is small and at hand (a folder, a server on this machine); wishes, further fields of
    SourceContext. Returns: the utterances. Raises: ConformanceError that says what is wrong.
    """
    contract = Contract(source)
    context = _context(source, workspace, wishes)
    source.prepare(context)
    first = list(source.utterances(context))
    counts = _counts(contract, source)
    there = written_files(context.folder, workspace.hub)
    source.prepare(context)
    contract.holds(
        first == list(source.utterances(context)), "it does not give the same utterances twice", Source.utterances
    )
    now = written_files(context.folder, workspace.hub)
    again = [path.name for path, facts in there.items() if now.get(path, facts) != facts]
    contract.holds(not again, f"prepare fetches what is complete again: {listed(again)}", Source.prepare)
    gone = [path.name for path in there if path not in now]
    contract.holds(not gone, f"prepare removes what it had fetched: {listed(gone)}", Source.prepare)
    contract.holds(
        counts == _counts(contract, source), "what it left out is counted differently twice", Source.left_out
    )
    _check_utterances(contract, source, first)
    with no_network() as asked:
        offline, other = replace(context, offline=True), fresh(source)
        other.prepare(offline)
        found = list(other.utterances(offline))
    contract.holds(not asked, f"offline it asks for {listed(set(asked))}", SourceContext)
    contract.holds(found == first, "another instance gives other utterances, offline", Source.utterances)
    if source.splits:
        _check_parts(contract, source, first, counts, wishes)
    return first


def _context(source: Source, workspace: Workspace, wishes: Mapping[str, Any]) -> SourceContext:
    folder = workspace.folder("sources", source.name)
    return SourceContext(folder, workspace, SilentProgress(), **{"seed": 0, **wishes})


def _counts(contract: Contract, source: Source) -> dict[str, int]:
    counts = dict(source.left_out())
    for reason, count in counts.items():
        contract.holds(isinstance(count, int) and count >= 0, f"it left out {count!r} for {reason!r}", Source.left_out)
        contract.holds(reason and "/" not in reason, f"the reason {reason!r} names a file or nothing", Source.left_out)
    return {reason: count for reason, count in counts.items() if count}


def _check_utterances(contract: Contract, source: Source, utterances: list[Utterance]) -> None:
    contract.holds(utterances, "it gives no utterances", Source.utterances)
    repeated = [name for name, count in Counter(one.id for one in utterances).items() if count > 1]
    contract.holds(not repeated, f"it repeats an id: {listed(repeated)}", Utterance)
    variants = source.variants()
    for one in utterances:
        contract.holds(one.id and isinstance(one.id, str), f"an utterance has the id {one.id!r}", Utterance)
        contract.holds("text" in one.texts, f"{one.id} has no variant 'text'", Utterance)
        texts = all(isinstance(text, str) for text in one.texts.values())
        contract.holds(texts, f"{one.id} has a text that is no string", Utterance)
        contract.holds(one.speaker, f"{one.id} has no speaker", Utterance)
        known = one.split is None or one.split in get_args(Split)
        contract.holds(known, f"{one.id} has the split {one.split!r}", Utterance)
        if variants is not None:
            odd = set(one.texts) - set(variants)
            contract.holds(not odd, f"{one.id} has text variants that it does not tell: {listed(odd)}", Source.variants)
        contract.holds(one.audio is not None or one.codes is not None, f"{one.id} has no audio", Utterance)
        if one.audio is not None:
            contract.holds(Path(one.audio).is_file(), f"{one.id}: {one.audio} is not there", Source.prepare)
        start, end = one.start or 0.0, math.inf if one.end is None else one.end
        contract.holds(0 <= start < end, f"{one.id} is cut from {start} s to {end} s", Utterance)
        contract.holds(one.seconds is None or one.seconds > 0, f"{one.id} lasts {one.seconds} s", Utterance)


def _comparable(one: Utterance) -> Utterance:
    """The same whichever workspace its files lie in."""
    audio, reference = (Path(path.name) if path is not None else None for path in (one.audio, one.reference))
    return replace(one, audio=audio, reference=reference)


def _check_parts(
    contract: Contract, source: Source, whole: list[Utterance], counts: Mapping[str, int], wishes: Mapping[str, Any]
) -> None:
    """Each part prepared alone, on a machine of its own."""
    joined: list[Utterance] = []
    left: Counter[str] = Counter()
    for number in range(1, PARTS + 1):
        with tempfile.TemporaryDirectory() as folder:
            one = fresh(source)
            context = replace(_context(one, Workspace(Path(folder)), wishes), part=Part(number, PARTS))
            one.prepare(context)
            joined += map(_comparable, one.utterances(context))
            left.update(_counts(contract, one))
    ids = [one.id for one in joined]
    contract.holds(
        ids == [one.id for one in whole],
        f"{PARTS} parts one after another have {len(ids)} utterances, the whole has {len(whole)}, or another order",
        Source,
    )
    contract.holds(joined == list(map(_comparable, whole)), "an utterance of a part is another one", Source)
    contract.holds(
        dict(left) == dict(counts), f"parts left out {dict(left)}, the whole {dict(counts)}", Source.left_out
    )
