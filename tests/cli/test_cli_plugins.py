"""`kathrine plugins` and `plugins show`, also with broken plugins around."""

import json
import os
import subprocess
import sys

import pytest
from plugin_makers import TOY, install


@pytest.fixture
def call(tmp_path):
    install(tmp_path, "toy-distribution", "4.2", toy_brand=TOY, toy_broken="import nothing_of_this_name")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]), "COLUMNS": "200"}

    def caller(*args, **more):
        command = [sys.executable, "-m", "kathrine", "plugins", *args]
        return subprocess.run(command, capture_output=True, text=True, env=env | more, check=False, timeout=120)

    return caller


def test_the_list_has_names_versions_kinds_components_and_failures(call):
    result = call()
    assert result.returncode == 0, result.stderr
    (row,) = [line for line in result.stdout.split("\n") if "toy_brand" in line]
    assert "toy-distribution" in row and "4.2" in row
    assert "toy_source, other_source" in result.stdout and "strategy" in result.stdout
    (line,) = [line for line in result.stdout.split("\n") if line.startswith("plugin 'toy_broken'")]
    assert line.startswith("plugin 'toy_broken' of toy-distribution 4.2 failed to load: ")
    assert "toy_distribution_toy_broken.py:1: ModuleNotFoundError: No module named 'nothing_of_this_name'" in line


def test_json(call):
    listing = json.loads(call("--json").stdout)
    (toy,) = [plugin for plugin in listing["plugins"] if plugin["name"] == "toy_brand"]
    assert toy["version"] == "4.2" and {"kind": "strategy", "name": "whole"} in toy["components"]
    assert "toy_broken" in [failure["name"] for failure in listing["failures"]]


def test_show_prints_every_option_with_type_default_and_doc(call):
    result = call("show", "whole")
    assert result.returncode == 0, result.stderr
    text = result.stdout
    assert "Trains whole parts." in text and "[strategy.whole]" in text and "toy-distribution 4.2" in text
    assert "lr (number above 0, required)" in text
    assert "Peak learning rate of this strategy's parameters." in text
    assert 'parts (list of string, default ["talker"])' in text
    assert "layers (whole number or list of whole number, default [])" in text


def test_show_of_a_source_points_to_the_kernels_keys(call):
    text = call("show", "toy_source").stdout
    assert '[[data]]\nsource = "toy_source"' in text
    assert "every [[data]] key of the kernel (name, share, max_hours, ...)" in text


def test_show_takes_a_plugins_name_too(call):
    shown = json.loads(call("show", "toy_brand", "--json").stdout)
    assert {"toy_source", "whole", "in_order", "dump"} <= {entry["name"] for entry in shown}
    inner = next(entry for entry in shown if entry["name"] == "in_order")["options"]
    assert "stages[].epochs" in [option["name"] for option in inner]


def test_show_of_something_broken_disabled_or_unknown(call):
    result = call("show", "toy_broken")
    assert result.returncode == 2 and "No module named 'nothing_of_this_name'" in result.stderr
    result = call("show", "toy_brnd")
    assert result.returncode == 2 and "did you mean 'toy_brand'" in result.stderr
    result = call("show", "toy_brand", KATHRINE_DISABLE="toy_brand")
    assert result.returncode == 2 and "disabled by KATHRINE_DISABLE" in result.stderr
    assert "toy_brand" in call(KATHRINE_DISABLE="toy_brand").stdout
    assert "no such plugin is installed" in call(KATHRINE_DISABLE="nonsense").stdout
