"""Which layout of the corpus lies at a place: told by looking at its files, never by running anything of it."""

from __future__ import annotations

import re
from collections.abc import Callable

from kathrine import KathrineError
from kathrine.datafiles import DataFiles
from kathrine_npsc.days import DayFiles
from kathrine_npsc.layouts import Layout
from kathrine_npsc.options import NpscOptions
from kathrine_npsc.parquet import ParquetExport
from kathrine_npsc.release import Release

LAYOUTS: tuple[type[Layout], ...] = (DayFiles, ParquetExport, Release)
"""In the order in which they are looked for."""
PARQUET_REVISION = "refs/convert/parquet"
"""Branch on which the Hub keeps the Parquet export that it made of a dataset."""


def find_layout(
    open_place: Callable[[str], DataFiles], options: NpscOptions, label: str, say: Callable[[str], None]
) -> Layout:
    """The layout of the corpus at `root`.

    Given: open_place, from a revision to its files. The wanted revision is looked at for every layout; where a
    repository of the Hub has none of them, the export that the Hub made of it is looked at. Raises: KathrineError that
    says what was looked for, and where.
    """
    wanted = [kind for kind in LAYOUTS if options.layout in ("auto", kind.name)]
    files = open_place(options.revision)
    names = files.names()
    for kind in wanted:
        if kind.lies_in(names):
            say(f"{label}: {files.label} holds {kind.described}")
            return kind(files, options, label)
    looked = [files.label]
    script = next((name for name in names if re.fullmatch(r"\w+\.py", name)), "")
    if ParquetExport in wanted and on_hub(files):
        export = open_export(open_place)
        looked.append(f"the Hub's export {PARQUET_REVISION}")
        if export is not None and ParquetExport.lies_in(export.names()):
            if script and options.layout == "auto":
                say(
                    f"{label}: {files.label} holds no day files but the script {script}, which is never run "
                    "(datasets can not run it either, from version 4 on)"
                )
            say(f"{label}: reading {ParquetExport.described} that the Hub made, {export.label}, instead")
            return ParquetExport(export, options, label)
    kinds = "; ".join(f"{kind.described} ({kind.looks_for})" for kind in wanted)
    raise KathrineError(
        f"{files.label} has no {' and no '.join(kind.described.removeprefix('the ') for kind in wanted)}",
        f"looked in {' and '.join(looked)} for {kinds}; set root to the corpus itself or to a folder in one of its "
        "layouts; loading scripts are never run",
    )


def on_hub(files: DataFiles) -> bool:
    """Whether the files are those of a Hub repository."""
    from kathrine.hubfiles import HubFiles

    return isinstance(files, HubFiles)


def open_export(open_place: Callable[[str], DataFiles]) -> DataFiles | None:
    """The Parquet export of a Hub repository, or None where the Hub made none."""
    from huggingface_hub.errors import RevisionNotFoundError

    try:
        return open_place(PARQUET_REVISION)
    except KathrineError as problem:
        if isinstance(problem.__cause__, RevisionNotFoundError):
            return None
        raise
