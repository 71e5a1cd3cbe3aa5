"""What docs/container.md and deploy/ show is so: keys exist, commands are real, files parse and fit each other."""

from __future__ import annotations

import importlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kathrine.catalog import Catalog
from kathrine.cli.main import COMMANDS
from kathrine.recipe import load_recipe
from kathrine.recipe.options import option_docs
from kathrine.recipe.tables import KERNEL_TABLES, KIND_TABLES, DataTable

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "container.md").read_text(encoding="utf-8")
DOCTOR = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
CONTAINERFILE = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8")
JOB = ROOT / "deploy" / "kubernetes" / "job.yaml"
SKYPILOT = ROOT / "deploy" / "skypilot"

KNOBS = {
    "NUM_EPOCHS", "BATCH_SIZE", "GRAD_ACCUM", "LORA_LR", "LEARNING_RATE", "TEXT_PROJ_LR", "SUB_LOSS_WEIGHT", "LORA_R",
    "LORA_ALPHA", "LORA_DROPOUT", "TRAIN_MLP_LORA", "MIXED_PRECISION", "NPSC_HOURS", "PREPARE_BATCH_SIZE", "HF_TOKEN",
    "HF_REPO_ID", "RESUME_REPO_ID", "CHECKPOINT_DIR", "QWEN_TTS_PATH", "HOSTNAME",
}  # fmt: skip
"""Environment variables of the seed's entry point, older versions included."""

# --------------------------------------------------------------------------- the table of knobs


def rows() -> list[list[str]]:
    """Cells of the table of knobs."""
    table = PAGE[PAGE.index("| the seed's variable |") :]
    lines = table[: table.index("\n\n")].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def recipe_keys() -> Iterator[str]:
    """Every dotted recipe key that the table names."""
    for _, _, here, notes in rows():
        yield from re.findall(r"`([a-z0-9_]+(?:\.[a-z0-9_]+)+)`", f"{here} {notes}")


def test_every_knob_of_the_seed_is_in_the_table():
    named = {match for row in rows() for match in re.findall(r"`([A-Z_]+)`", row[0])}
    assert named == KNOBS
    assert all(here for _, _, here, _ in rows())


def test_every_key_of_the_table_exists():
    catalog, missing, seen = Catalog.load(), [], 0
    for key in recipe_keys():
        table, name, *rest = key.split(".")
        if key.startswith("console."):
            continue  # a file
        seen += 1
        if table == "data":
            source = catalog.component("source", name).Options
            options = {one.name for model in (DataTable, source) for one in option_docs(model)} | {"enabled"}
            wanted = ".".join(rest)
        elif table in KIND_TABLES:
            options = {one.name for one in option_docs(catalog.component(KIND_TABLES[table], name).Options)}
            wanted = ".".join(rest)
        else:
            options = {one.name for one in option_docs(KERNEL_TABLES[table])}
            wanted = ".".join([name, *rest])
        missing += [] if wanted in options else [key]
    assert not missing and seen >= 15


def test_the_example_gives_what_the_table_says():
    (line,) = [words for words in commands(PAGE) if "kathrine:baseline" in words]
    sets = [line[place + 1] for place, word in enumerate(line) if word == "--set"]
    recipe = load_recipe("kathrine:baseline", sets=sets)
    assert recipe.train.batch.examples == 4 and recipe.train.epochs == 10 and recipe.data[0].table.max_hours == 40
    assert recipe.document["strategy"]["text_projection"]["lr"] == 5e-5


# --------------------------------------------------------------------------- commands


def commands(text: str) -> Iterator[list[str]]:
    """Words after `kathrine` of every command in the fenced blocks of a page."""
    for block in re.findall(r"^```\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            yield from after_kathrine(words)


def after_kathrine(words: list[str]) -> Iterator[list[str]]:
    """The command within a line: the program, a module of torchrun, or an image of that name."""
    for place, word in enumerate(words[:-1]):
        if word.rpartition("/")[2] == "kathrine" and words[place + 1] in COMMANDS:
            yield words[place + 1 :]
            return


def refuse_unless_real(words: list[str]) -> None:
    """Parse a command as click would, and load its recipe where it is one that comes along."""
    name, *arguments = words
    command = importlib.import_module(f"kathrine.cli.{name}").command
    with command.make_context(name, list(arguments)) as context:
        given = context.params
    recipe = given["recipe"]
    if recipe.startswith(("kathrine:", "recipes/")):
        path = recipe if recipe.startswith("kathrine:") else str(ROOT / recipe)
        load_recipe(path, given.get("profile"), given.get("sets", ()))


FOUND = [*commands(PAGE), *commands(DOCTOR)]


def test_there_are_commands():
    assert {words[0] for words in FOUND} >= {"run", "prepare", "doctor", "check"} and len(FOUND) >= 8


@pytest.mark.parametrize("words", FOUND, ids=" ".join)
def test_commands_of_the_pages_are_real(words):
    refuse_unless_real(words)


def test_commands_of_the_job_are_real():
    _, job = documents(JOB)
    pod = job["spec"]["template"]["spec"]
    for container in (*pod["initContainers"], *pod["containers"]):
        refuse_unless_real(container["args"])


def test_commands_of_skypilot_are_real():
    (task,) = documents(SKYPILOT / "train.yaml")
    script = task["run"].replace('"$RECIPE"', task["envs"]["RECIPE"])
    found = [words for line in script.splitlines() for words in after_kathrine(shlex.split(line))]
    assert [words[0] for words in found] == ["doctor", "run"]
    for words in found:
        refuse_unless_real(words)


# --------------------------------------------------------------------------- files


def documents(path: Path) -> list[dict]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def instructions() -> list[list[tuple[str, str]]]:
    """Instructions of each stage of the Containerfile: name and the rest."""
    text = re.sub(r"^\s*#.*\n", "", CONTAINERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    stages: list[list[tuple[str, str]]] = [[]]
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            stages.append([])
        stages[-1].append((name, rest.strip()))
    return stages


def of(stage: list[tuple[str, str]], name: str) -> list[str]:
    return [rest for one, rest in stage if one == name]


def test_what_the_image_copies_exists_and_is_not_ignored():
    _, build, final = instructions()
    sources = [word for rest in of(build, "COPY") for word in rest.split()[:-1]]
    assert {"constraints.txt", "pyproject.toml", "kathrine", "plugins", "recipes"} <= set(sources)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for source in sources:
        assert (ROOT / source).exists(), source
        assert source.removeprefix("./") not in ignored
    assert all(rest.startswith("--from=build ") for rest in of(final, "COPY"))


def test_everything_that_the_wheel_is_built_from_is_copied():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    needed = [*wheel, project["project"]["readme"], *project["project"]["license-files"]]
    _, build, _ = instructions()
    copied = " ".join(of(build, "COPY")).split()
    assert not [name for name in needed if name not in copied]


def test_versions_are_pinned_and_no_address_is_named():
    _, build, _ = instructions()
    installs = [part for rest in of(build, "RUN") for part in re.split(r"&&", rest) if "pip install" in part]
    assert len(installs) == 3 and all("--constraint constraints.txt" in part for part in installs)
    assert "://" not in CONTAINERFILE


def test_nothing_is_fetched_once_the_image_stands_and_nobody_is_root():
    _, _, final = instructions()
    text = " ".join(f"{name} {rest}" for name, rest in final)
    assert not re.search(r"\b(pip|apt|apt-get|curl|wget|git|ADD)\b", text)
    assert [json.loads(rest) for rest in of(final, "ENTRYPOINT")] == [["kathrine"]]
    (user,) = of(final, "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert final.index(("USER", user)) > max(place for place, (name, _) in enumerate(final) if name == "RUN")
    (volume,) = of(final, "VOLUME")
    assert f"KATHRINE_WORKSPACE={volume} " in " ".join(of(final, "ENV")) and of(final, "WORKDIR") == [volume]


def test_the_job_fits_the_image():
    claim, job = documents(JOB)
    spec = job["spec"]["template"]["spec"]
    _, _, final = instructions()
    user, group = map(int, of(final, "USER")[0].split(":"))
    security = spec["securityContext"]
    assert security["runAsNonRoot"] and (security["runAsUser"], security["runAsGroup"]) == (user, group)
    assert security["fsGroup"] == group
    volumes = {one["name"]: one for one in spec["volumes"]}
    assert volumes["workspace"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert spec["restartPolicy"] == "Never" and spec["terminationGracePeriodSeconds"] >= 120
    for container in (*spec["initContainers"], *spec["containers"]):
        mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
        assert mounts == {of(final, "VOLUME")[0]: "workspace", "/tmp": "temporary"}
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
        token = next(one for one in container["env"] if one["name"] == "HF_TOKEN")
        assert "secretKeyRef" in token["valueFrom"] and "value" not in token
    folders = {one["args"][one["args"].index("--folder") + 1] for one in (*spec["initContainers"], *spec["containers"])}
    assert len(folders) == 1 and folders.pop().startswith("/workspace/")
    names = [one["name"] for one in spec["containers"]]
    rules = job["spec"]["podFailurePolicy"]["rules"]
    assert rules[0]["action"] == "FailJob" and rules[0]["onExitCodes"]["values"] == [2]
    assert rules[0]["onExitCodes"]["containerName"] in names


def test_skypilot_uses_the_volume_that_it_makes():
    (volume,), (task,) = documents(SKYPILOT / "volume.yaml"), documents(SKYPILOT / "train.yaml")
    assert task["volumes"] == {task["envs"]["KATHRINE_WORKSPACE"]: volume["name"]}
    assert (ROOT / task["envs"]["RECIPE"]).is_file() and task["secrets"] == {"HF_TOKEN": None}
    assert "--constraint constraints.txt" in task["setup"]


def test_every_file_and_build_argument_is_on_the_page():
    for path in (ROOT / "deploy").rglob("*"):
        assert path.is_dir() or path.name in PAGE, path
    for rest in re.findall(r"^ARG (\w+)", CONTAINERFILE, re.MULTILINE):
        assert f"| `{rest}` |" in PAGE
