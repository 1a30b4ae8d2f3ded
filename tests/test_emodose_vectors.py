"""`emodose vectors`: from a model to vectors with verdicts and a card; what is wrong ends in one line."""

import json
import re
import shutil
from pathlib import Path

import pytest
from planted import FROM, RATINGS
from reading_model import REQUESTS, SCENARIOS, TEMPLATES

import emodose

pytest_plugins = ("planted_fixtures", "reading_model_fixtures")


def called(*arguments) -> int:
    with pytest.raises(SystemExit) as stopped:
        emodose.main([str(argument) for argument in arguments])
    return stopped.value.code


@pytest.fixture(scope="module")
def folder(tmp_path_factory, readable, tokenizer) -> Path:
    """The model that can be read out, as a folder."""
    folder = tmp_path_factory.mktemp("models") / "reader"
    readable.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def texts_folder(texts) -> Path:
    assert {SCENARIOS["scenarios"][0]["emotion"], *RATINGS} and TEMPLATES and REQUESTS
    return texts.stories.parent


@pytest.fixture(scope="module")
def made(folder, planted_corpus):
    assert called("vectors", "extract", folder, "--corpus", planted_corpus, "--from-token", FROM) == 0
    return folder


def test_extract_check_list_and_show_hang_together(made, texts_folder, capsys):
    assert called("vectors", "check", made, "--texts", texts_folder) == 0
    said = capsys.readouterr().out
    assert "6 vectors from stories.jsonl" in said and "calm" in said
    card = made / "vectors" / "card"
    report = json.loads((card / "report.json").read_text())
    assert report["verdicts"]["calm"]["verdict"] == "pass"
    assert (card / "card.png").stat().st_size > 1000 and "# Vectors of reader" in (
        card / "README.md"
    ).read_text()
    assert called("vectors", "list", made) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.split()[0] == "calm"]
    assert line.split()[1:4] == ["pass", "12", "stories"]
    assert called("vectors", "show", "calm", made) == 0
    assert json.loads(capsys.readouterr().out)["readouts"]["verdict"] == "pass"


def test_a_model_may_be_named_as_inspect_names_it(made, capsys, monkeypatch):
    monkeypatch.chdir(made.parent)
    assert called("vectors", "check", f"hf/{made.name}", "--texts", "nowhere") == 1
    assert "nowhere is neither bundled nor organism nor a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "clam", "MODEL"], "no vector 'clam' in .*: choose angry, calm"),
        (["list", "EMPTY"], "there are no vectors in .*: make some with emodose vectors extract MODEL"),
        (["extract", "EMPTY", "--corpus", "EMPTY"], "is no model that can be loaded"),
        (["extract", "MODEL", "--corpus", "EMPTY/none.jsonl"], r"none\.jsonl cannot be read"),
        (["check", "MODEL", "--vectors", "EMPTY"], "no vector files in"),
        (["check", "MODEL", "--texts", "EMPTY"], "nor a folder with stories.jsonl"),
        (["chek"], "No such command"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(made, tmp_path, capsys, arguments, words, texts_folder):
    places = {"MODEL": str(made), "EMPTY": str(tmp_path)}
    given = [places.get(one, one.replace("EMPTY", str(tmp_path))) for one in arguments]
    if arguments[0] == "check" and "--texts" not in arguments:
        given += ["--texts", str(texts_folder)]
    assert called("vectors", *given) == 1
    [line] = capsys.readouterr().err.strip().splitlines()[-1:]
    assert re.search(words, line), line


@pytest.mark.parametrize("command", ["list", "show", "extract", "check"])
def test_every_help_has_an_example(command, capsys):
    assert called("vectors", command, "--help") == 0
    assert f"Example: emodose vectors {command} " in capsys.readouterr().out


def test_a_truncated_vector_file_is_named(made, tmp_path, texts_folder, capsys):
    folder = shutil.copytree(made / "vectors", tmp_path / "vectors")
    path = folder / "calm.safetensors"
    path.write_bytes(path.read_bytes()[:-30])
    assert called("vectors", "check", made, "--vectors", folder, "--texts", texts_folder) == 1
    assert "calm.safetensors cannot be read" in capsys.readouterr().err
