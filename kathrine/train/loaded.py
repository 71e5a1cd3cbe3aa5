"""What a user points at, loaded: a run, one of its checkpoints, an adapter, a model, or any of these on the Hub."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from kathrine.catalog import Catalog
from kathrine.components import Exporter, Language, ModelFamily, Progress, SpeechModel, Strategy
from kathrine.corpus.prepared import known_facts
from kathrine.errors import KathrineError
from kathrine.hublayout import parse_place
from kathrine.inspect.adapters import base_commit, recognised
from kathrine.inspect.target import RUN_RECIPE, find_target, run_of
from kathrine.recipe.plan import claims
from kathrine.recipe.recipe import Recipe, load_recipe
from kathrine.speech.limits import SpeechLimits, limits_from
from kathrine.suggest import listing
from kathrine.train.checkpoint import pick
from kathrine.train.trainable import Trainable, make_trainable
from kathrine.types import AdapterFacts
from kathrine.workspace import Workspace


@dataclass(eq=False)
class Loaded:
    """A model that can be spoken with. told: what was loaded, a line each. run: folder of the run that it belongs to;
    trainable: what that trains, its weights put in. adapter: folder of the one that was put onto it. language: the
    recipe's, where there is one. Close it when done: what was left out or scaled comes back then."""

    model: SpeechModel
    family: ModelFamily
    workspace: Workspace
    device: str
    told: list[str] = field(default_factory=list)
    recipe: Recipe | None = None
    run: Path | None = None
    trainable: Trainable | None = None
    adapter: Path | None = None
    step: int | None = None
    language: Language | None = None
    limits: SpeechLimits = field(default_factory=SpeechLimits)
    stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Loaded:
        return self

    def __exit__(self, *error: object) -> None:
        self.stack.close()


@dataclass(frozen=True, slots=True)
class Wish:
    """How a target is to be loaded. adapter: put onto it. checkpoint: of a run: best (None), last or a step. without:
    parts or strategies to leave out; scale: factor on LoRAs, None for none. precision: fp32 or bf16."""

    adapter: str = ""
    checkpoint: str | None = None
    without: tuple[str, ...] = ()
    scale: float | None = None
    device: str = "cpu"
    precision: str = "fp32"
    offline: bool = False


def load_target(name: str, wish: Wish, catalog: Catalog, workspace: Workspace, progress: Progress) -> Loaded:
    """Load what a user named.

    Given: name, a run's folder, a checkpoint's (`RUN/checkpoints/STEP`), an adapter's or a model's folder, a model's
    name, or `hub:OWNER/NAME[@REVISION][/FOLDER]`. Raises: KathrineError for anything that is none of these, for an
    adapter of another base, and for parts that can not be left out or scaled.
    """
    place = local_place(name, workspace, progress, wish.offline)
    run, which = run_of(place, wish.checkpoint)
    if run is not None:
        if wish.adapter:
            raise KathrineError(f"{name} is a run: it has its own weights", "give --adapter with a model only")
        return _load_run(run, which, wish, catalog, workspace, progress)
    if wish.checkpoint is not None:
        raise KathrineError(f"--checkpoint is for runs, and {name} is none", "leave it out")
    own = recognised(Path(place), catalog)
    if own is not None:
        if wish.adapter:
            raise KathrineError(f"{name} is an adapter already", "give one adapter, or a model and --adapter")
        return _load_adapter(own, own[1].checkpoint, wish, catalog, workspace, progress)
    if wish.adapter:
        folder = Path(local_place(wish.adapter, workspace, progress, wish.offline))
        found = recognised(folder, catalog)
        if found is None:
            raise KathrineError(f"{wish.adapter} holds no adapter that can be loaded", "name its folder, or hub:ID")
        return _load_adapter(found, place, wish, catalog, workspace, progress)
    return _load_model(place, wish, catalog, workspace, progress)


def local_place(name: str, workspace: Workspace, progress: Progress, offline: bool = False) -> str:
    """A local folder or a model's name: what is named by `hub:` is fetched first."""
    if not name.startswith("hub:"):
        return name
    repo, revision, folder = parse_place(name)
    from kathrine.hubfiles import fetch_model_folder

    return str(fetch_model_folder(repo, revision, folder, workspace.hub, progress.say, offline))


def _load_model(
    place: str, wish: Wish, catalog: Catalog, workspace: Workspace, progress: Progress, revision: str = ""
) -> Loaded:
    if wish.without or wish.scale is not None:
        raise KathrineError(
            f"{place} is a complete model: nothing of it can be left out or scaled",
            "compare it with its base model, or name the run or the adapter",
        )
    target = find_target(place, None, catalog, workspace, None if wish.offline else progress, revision)
    with progress.task("loading the model"):
        target.family.fetch(workspace, progress, offline=wish.offline)
        model = target.family.load(workspace, wish.device, wish.precision)
    model.network.eval()
    told = [f"model {model.facts.checkpoint} ({model.facts.revision or 'local'})"]
    language = _language_in(Path(place).expanduser(), (), catalog)
    return Loaded(model, target.family, workspace, wish.device, told, language=language)


def _load_adapter(
    found: tuple[type[Exporter], AdapterFacts],
    base: str,
    wish: Wish,
    catalog: Catalog,
    workspace: Workspace,
    progress: Progress,
) -> Loaded:
    exporter, facts = found
    if not base:
        raise KathrineError(f"{facts.folder} does not say which base model it belongs to", "MODEL --adapter FOLDER")
    if base == facts.checkpoint and facts.revision == "local" and not Path(base).expanduser().is_dir():
        raise KathrineError(
            f"{facts.folder} was trained on a folder of the name {base}, which is not known here",
            f"name that folder: PATH/TO/{base} --adapter {facts.folder}",
        )
    refuse_unknown(wish.without, facts.parts, str(facts.folder))
    plain = Wish(device=wish.device, precision=wish.precision, offline=wish.offline)
    # The commit that it was trained on, not the newest one: the adapter fits no other.
    commit = base_commit(facts) if base == facts.checkpoint else ""
    loaded = _load_model(base, plain, catalog, workspace, progress, commit)
    exporter.put_on(loaded.model, facts, wish.without, 1.0 if wish.scale is None else wish.scale)
    loaded.adapter = facts.folder
    loaded.model.network.eval()
    loaded.told += part_lines(facts.parts, wish.without, wish.scale, f"adapter {facts.folder}")
    loaded.told += [f"note: {note}" for note in facts.notes]
    loaded.language = _language_in(facts.folder, facts.languages, catalog) or loaded.language
    return loaded


def _language_in(folder: Path, tags: Collection[str], catalog: Catalog) -> Language | None:
    """The language of the recipe that an export was made with, else the installed one that its only tag names; the
    rest of that recipe may not exist here."""
    import tomllib

    recipe = folder / RUN_RECIPE
    tables = tomllib.loads(recipe.read_text(encoding="utf-8")).get("language", {}) if recipe.is_file() else {}
    tables = tables or {name: {} for name in tags if len(tags) == 1}
    for label, table in tables.items():
        name = table.pop("use", label)
        if name in catalog.names("language"):
            component = catalog.component("language", name)
            return component(component.Options.model_validate(table), label)  # type: ignore[return-value]
    return None


def _load_run(run: Path, which: str, wish: Wish, catalog: Catalog, workspace: Workspace, progress: Progress) -> Loaded:
    import torch

    recipe = load_recipe(run / RUN_RECIPE, catalog=catalog, of_run=True)
    saved = pick(run / "checkpoints", which)
    names = [label for strategy in recipe.strategies for label in (strategy.label, strategy.name)]
    refuse_unknown(wish.without, names, str(run))
    with progress.task("loading the model"):
        recipe.model.fetch(workspace, progress, offline=wish.offline)
        model = recipe.model.load(workspace, wish.device, wish.precision)
        trainable = make_trainable(
            model, recipe.strategies, claims(recipe, workspace, model.specs, model.facts), recipe.run.seed
        )
        weights = saved.tensors("ema") or saved.tensors("trainable")
        with torch.no_grad():
            for name, parameter in trainable.parameters.items():
                parameter.copy_(weights[name])
        model.network.requires_grad_(False)
    model.network.eval()
    loaded = Loaded(model, recipe.model, workspace, wish.device, recipe=recipe, run=run, step=saved.step)
    loaded.trainable = trainable
    loaded.language = recipe.language
    loaded.limits = corpus_limits(recipe, workspace)
    loaded.told.append(f"model {model.facts.checkpoint} ({model.facts.revision or 'local'})")
    averaged = " (averaged weights)" if (saved.folder / "ema.safetensors").is_file() else ""
    title = f"run {run.name}, checkpoint {saved.step}{averaged}"
    _leave_out(loaded.stack, recipe.strategies, wish)
    loaded.told += part_lines(
        [one.label for one in recipe.strategies], _left(recipe.strategies, wish), wish.scale, title
    )
    return loaded


def _left(strategies: Sequence[Strategy], wish: Wish) -> list[str]:
    return [one.label for one in strategies if {one.label, one.name} & set(wish.without)]


def _leave_out(stack: ExitStack, strategies: Sequence[Strategy], wish: Wish) -> None:
    left = _left(strategies, wish)
    loras = [one for one in strategies if one.name == "lora" and one.label not in left]
    if wish.scale is not None and not loras:
        raise KathrineError("there is no LoRA to scale", "leave --lora-scale out")
    for strategy in strategies:
        if strategy.label in left:
            stack.enter_context(strategy.off())
        elif wish.scale is not None and strategy in loras:
            stack.enter_context(strategy.scale(wish.scale))


def refuse_unknown(without: Collection[str], known: Sequence[str], where: str) -> None:
    """Raises: KathrineError for parts to leave out that are not there."""
    unknown = [part for part in without if part not in known]
    if unknown:
        raise KathrineError(
            f"{where} has no {' and no '.join(unknown)} to leave out", f"it has {listing(dict.fromkeys(known))}"
        )


def part_lines(
    parts: Sequence[str], left: Collection[str], scale: float | None, title: str, scaled: Collection[str] = ("lora",)
) -> list[str]:
    """What was put on and what was left out, in one line each. scaled: the parts that the scale is for."""
    on = [f"{part} x {scale:g}" if scale is not None and part in scaled else part for part in parts if part not in left]
    lines = [f"{title}: {', '.join(on) or 'nothing'}"]
    return [*lines, f"left out: {', '.join(part for part in parts if part in left)}"] if left else lines


def corpus_limits(recipe: Recipe, workspace: Workspace) -> SpeechLimits:
    """Limits of the always-on checks from the corpus that was prepared for a recipe, or the general ones."""
    facts = known_facts(recipe, workspace) or {}
    return limits_from([entry.get("pace", {}) for entry in facts.get("entries", {}).values()])
