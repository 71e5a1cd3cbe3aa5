"""The source `manifest`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kathrine.components import Source, SourceContext
from kathrine.datafiles import DataFiles, LocalFiles, corpus_problems, hub_datasets, open_files, still_to_fetch
from kathrine.errors import KathrineError
from kathrine.types import Utterance
from kathrine_manifest import fetching
from kathrine_manifest.archives import Shelf
from kathrine_manifest.corpus import Corpus, plural
from kathrine_manifest.formats import Format, named, recognised, the_one
from kathrine_manifest.options import ManifestOptions, is_hub_id, option_problems
from kathrine_manifest.places import Places
from kathrine_manifest.reading import Reading, Report
from kathrine_manifest.rows import Layout

EXPORT = "refs/convert/parquet"
"""Where the Hub keeps the Parquet copies of a dataset."""
BYTES_PER_HOUR = 115e6
"""Of recordings that nobody described: 16 kHz, 16 bits, one channel, uncompressed."""


class Manifest(Source):
    """Recordings with their transcripts, in any of the usual formats."""

    name = "manifest"
    Options = ManifestOptions
    options: ManifestOptions

    def __init__(self, options: Any = None, label: str = "") -> None:
        super().__init__(options, label)
        self._left_out: Counter[str] = Counter()

    def variants(self) -> tuple[str, ...]:
        return ("text", *self.options.texts)

    def hub_datasets(self) -> tuple[str, ...]:
        return hub_datasets(self.options.path) if is_hub_id(self.options.path) else ()

    def licences(self) -> tuple[str, ...] | None:
        """The option; else a dataset's card may name one, and a single file has no card."""
        options = self.options
        if options.licence:
            return (options.licence,)
        return () if Path(options.path).expanduser().is_file() else None

    def problems(self) -> Iterator[str]:
        yield from option_problems(self.options)

    def reachable(self, context: SourceContext) -> Iterator[str]:
        """The table or folder, then the folder in which recordings start."""
        options = self.options
        path = Path(options.path).expanduser()
        if not path.is_file():
            yield from corpus_problems(options.path, options.revision, context)
        elif path.stat().st_size == 0:
            yield f"{options.path} is empty"
        if options.root and not Path(options.root).expanduser().is_dir():
            yield f"root: there is no folder {options.root}"

    def bytes_to_fetch(self, context: SourceContext) -> int | None:
        options = self.options
        local = options.path.startswith("kathrine:") or Path(options.path).expanduser().exists()
        if local and not options.archives:
            return 0
        if context.max_hours is None:
            return None
        return still_to_fetch(
            context.max_hours * BYTES_PER_HOUR * (2 if options.archives else 1), options.path, context
        )

    def prepare(self, context: SourceContext) -> None:
        """Recognise the format, look at every row, and fetch or unpack what the run can use.

        Raises: KathrineError with all mistakes, as `file:line: sentence`.
        """
        reading = self.open(context)
        reading.check_columns()
        fetching.unpack(reading, context, self.label)
        report = reading.check()
        context.progress.say(f"{self.label}: {reading.format.title}: {reading.evidence}; {report.sentence()}")
        if renamed := report.recognised_keys():
            context.progress.say(f"{self.label}: {renamed}")
        reading.refuse_or_tell(report, context.progress.warn, self.label)
        tell(reading, report, context, self.label)
        if reading.places.top is None:
            with context.progress.task(f"{self.label}: recordings", report.utterances) as advance:
                for _ in fetching.taken(reading, context, advance):
                    pass

    def utterances(self, context: SourceContext) -> Iterator[Utterance]:
        reading = self.open(context)
        fetching.unpack(reading, context, self.label)
        self._left_out.clear()
        yield from fetching.taken(reading, context, None, self._left_out)

    def left_out(self) -> Mapping[str, int]:
        return self._left_out

    def open(self, context: SourceContext) -> Reading:
        """The corpus in its format. Raises: KathrineError where none is recognised, or more than one."""
        options, keys = self.options, self.options.named_keys()
        path = Path(options.path).expanduser()
        single = path.name if path.is_file() else ""
        if (
            not single
            and not path.exists()
            and not options.path.startswith("kathrine:")
            and not is_hub_id(options.path)
        ):
            raise KathrineError(f"the manifest {options.path} does not exist", "look at the option 'path'")
        corpus = Corpus(
            self._files(context, str(path.parent if single else options.path), options.revision),
            single,
            tuple(options.files),
            tuple(options.splits),
            options.encoding,
            keys.get("audio", ""),
            keys.get("text", ""),
            keys.get("reference", ""),
            options.allow_outside,
        )
        licence = options.licence or ("" if single else licence_of_card(corpus))
        chosen, evidence, corpus = self._format(corpus, context)
        return Reading(
            corpus,
            chosen,
            evidence,
            options,
            Layout(
                keys=keys,
                texts=options.texts,
                speaker=options.speaker,
                each_own=options.no_speaker == "each",
                language=options.language,
                licence=licence,
                textual=chosen.textual,
            ),
            Places(
                corpus.files,
                Path(options.root).expanduser().absolute() if options.root else None,
                options.allow_outside,
                Shelf() if options.archives else None,
            ),
        )

    def _files(self, context: SourceContext, root: str, revision: str) -> DataFiles:
        return open_files(root, revision, context.workspace, context.folder, context.offline, context.progress.say)

    def _format(self, corpus: Corpus, context: SourceContext) -> tuple[Format, str, Corpus]:
        """The format, what speaks for it, and the corpus: that of a dataset's Parquet export where its own files are
        in no format."""
        candidates = self._candidates(corpus)
        local = isinstance(corpus.files, LocalFiles)
        if not candidates and not local and self.options.revision == "main" and not self.options.archives:
            try:
                export = replace(corpus, files=self._files(context, self.options.path, EXPORT))
            except KathrineError:
                return *the_one([], corpus), corpus  # says what the dataset holds
            candidates = [found for found in self._candidates(export) if found[0].name == "parquet"]
            corpus = export if candidates else corpus
        return *the_one(candidates, corpus), corpus

    def _candidates(self, corpus: Corpus) -> list[tuple[Format, str]]:
        """Formats that may be meant, with what speaks for each; the one that the recipe names, where it names one."""
        if self.options.format == "auto":
            return recognised(corpus)
        chosen = named(self.options.format)
        if chosen.name == "parquet" and not chosen.recognise(corpus):
            return []
        return [(chosen, chosen.recognise(corpus) or "as the recipe says")]


def tell(reading: Reading, report: Report, context: SourceContext, label: str) -> None:
    """Warn of recordings and texts that are not there, and say which keys nobody reads."""
    warn = context.progress.warn
    if report.missing.count:
        none = report.missing.count == report.recordings
        hint = f"; none of them does: do their paths start in {reading.places.top or 'the dataset'} (option root)?"
        warn(
            f"{label}: {plural(report.missing.count, 'recording')} {'does' if report.missing.count == 1 else 'do'} not "
            f"exist{hint if none else ''}\n{report.missing.lines()}"
        )
    if report.empty.count:
        warn(
            f"{label}: {plural(report.empty.count, 'text')} {'is' if report.empty.count == 1 else 'are'} empty\n"
            f"{report.empty.lines()}"
        )
    where = reading.corpus.single or reading.corpus.files.label
    if reading.format.columns is not None:
        if report.unread:
            context.progress.say(f"{where}: not read: {', '.join(sorted(report.unread))}")
        return
    for key, count in sorted(report.unread.items()):
        context.progress.say(f"{where}: '{key}' is not read ({plural(count, 'row')})")


def licence_of_card(corpus: Corpus) -> str:
    """`license:` in the front matter of a dataset's card, or an empty string."""
    if not corpus.has("README.md"):
        return ""
    text = corpus.fetch("README.md").read_text(encoding="utf-8", errors="replace")
    match = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
    found = re.search(r"^license:\s*['\"]?([\w.+-]+)", match[1], re.MULTILINE) if match else None
    return found[1] if found else ""
