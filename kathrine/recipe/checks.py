"""What only shows when several keys of a recipe are seen together, or when the disk is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kathrine.components import Options, Source
from kathrine.recipe.gate_needs import missing_for_gates
from kathrine.recipe.layers import Layer
from kathrine.recipe.positions import KeyPath
from kathrine.recipe.tables import DataTable, PrepareTable, TrainTable
from kathrine.suggest import did_you_mean, listing


def check_together(layer: Layer, prepare: PrepareTable | None, train: TrainTable | None, has_curriculum: bool) -> None:
    """What only shows when several keys are seen together."""
    if prepare is not None:
        for low, high in (
            ("min_seconds", "max_seconds"),
            ("min_letters_per_second", "max_letters_per_second"),
            ("min_loudness_lufs", "max_loudness_lufs"),
        ):
            if getattr(prepare, low) >= getattr(prepare, high):
                message = f"{low} = {getattr(prepare, low):g} leaves nothing below "
                message += f"{high} = {getattr(prepare, high):g}"
                layer.report(_set_key(layer, "prepare", (high, low)), message)
        for key, message in missing_for_gates(prepare):
            layer.report(("prepare", key), message)
    if train is not None:
        length = "epochs" if train.epochs is not None else "steps" if train.steps is not None else ""
        if has_curriculum and length:
            message = f"the curriculum gives the length of its stages: remove train.{length}"
            message += f', or take it back with unset = ["{length}"]'
            layer.report(("train", length), message)
        if not has_curriculum and not length:
            layer.report(("train",), "how long? Set epochs or steps, or name a curriculum")


def check_entry(layer: Layer, path: KeyPath, entry: DataTable) -> None:
    if entry.reference == "file" and not entry.reference_file:
        layer.report((*path, "reference"), 'reference = "file" needs reference_file')
    if entry.reference_file and entry.reference != "file":
        layer.report((*path, "reference_file"), 'is read with reference = "file" only')
    if entry.reference == "file" and entry.reference_file:
        check_file(layer, (*path, "reference_file"), entry.reference_file)
    cap, floor = entry.speaker_cap_minutes, entry.speaker_floor_minutes
    if cap is not None and floor > cap:
        message = f"is above speaker_cap_minutes = {cap:g}: no speaker would be left"
        layer.report((*path, "speaker_floor_minutes"), message)
    if not entry.variants or min(entry.variants.values()) < 0 or sum(entry.variants.values()) <= 0:
        layer.report((*path, "variants"), "needs at least one written form, with shares of 0 or more and a sum above 0")


def check_file(layer: Layer, path: KeyPath, file: str) -> None:
    """Report a recording that does not exist: it would be missed after hours of other work."""
    if not layer.of_run and not Path(file).expanduser().is_file():
        layer.report(path, f"there is no file {file}")


def yield_length(layer: Layer, path: Path) -> None:
    """A curriculum takes the place of a length that the recipe merely inherited."""
    train = layer.document.get("train")
    if not isinstance(train, dict) or not any(_is_on(table) for table in layer.document.get("curriculum", {}).values()):
        return
    for key in ("epochs", "steps"):
        place = layer.place(("train", key))
        own = place.label == "--set" or (place.label.split(":")[0] == path.name and place.folder == path.parent)
        if key in train and not own:
            del train[key]


def _is_on(table: Any) -> bool:
    return isinstance(table, dict) and table.get("enabled", True) is not False


def check_roots(layer: Layer, path: KeyPath, options: Options) -> None:
    """Report folders that do not exist, of options that take a folder or an id; a component that says so itself marks
    its option with `"checked": True`."""
    for name, field in type(options).model_fields.items() if not layer.of_run else ():
        extra = field.json_schema_extra
        value = getattr(options, name)
        mark = extra if isinstance(extra, dict) else {}
        named = mark.get("path") == "or_id" and not mark.get("checked") and isinstance(value, str)
        if named and value.startswith("/") and not Path(value).exists():
            layer.report((*path, name), f"there is no {value}")


def check_variants(layer: Layer, path: KeyPath, entry: DataTable, source: Source) -> None:
    known = source.variants()
    if known is None:
        return
    for name in entry.variants:
        if name not in known:
            guess = did_you_mean(name, known) or f"; it has {listing(known)}"
            layer.report((*path, "variants"), f"source {source.name} has no text variant '{name}'{guess}")


def _set_key(layer: Layer, table: str, keys: tuple[str, ...]) -> KeyPath:
    return next(((table, key) for key in keys if (table, key) in layer.places), (table, keys[0]))
