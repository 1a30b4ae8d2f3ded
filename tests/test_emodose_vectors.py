"""`emodose vectors`: from a model to vectors with verdicts and a card; what is wrong ends in one line."""

import json
import re
import shutil
from pathlib import Path

import pytest
from planted import FROM, write_jsonl

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


@pytest.mark.parametrize("command", ["list", "show", "extract", "check", "kl", "window"])
def test_every_help_has_an_example(command, capsys):
    assert called("vectors", command, "--help") == 0
    assert f"Example: emodose vectors {command} " in capsys.readouterr().out


def test_a_truncated_vector_file_is_named(made, tmp_path, texts_folder, capsys):
    folder = shutil.copytree(made / "vectors", tmp_path / "vectors")
    path = folder / "calm.safetensors"
    path.write_bytes(path.read_bytes()[:-30])
    assert called("vectors", "check", made, "--vectors", folder, "--texts", texts_folder) == 1
    assert "calm.safetensors cannot be read" in capsys.readouterr().err


def test_kl_and_window_are_stored_beside_the_vectors(made, tmp_path, capsys):
    folder = shutil.copytree(made / "vectors", tmp_path / "vectors")
    neutral = write_jsonl(
        tmp_path / "n.jsonl", [{"text": f"A list of {n} parts and numbers."} for n in range(8)]
    )
    given = ("--vectors", folder, "--neutral", neutral, "--layers", "2")
    assert called("vectors", "kl", made, "--emotion", "calm,random:1", "--strength=-0.1,0.1", *given) == 0
    assert called("vectors", "window", made, "--emotion", "calm", "--strength", "0.0001", "--texts", "8",
                  "--max-tokens", "8", *given) == 0  # fmt: skip
    doses = json.loads((folder / "doses.json").read_text())
    assert set(doses["kl"]) == {f"{name}{sign}0.100_L2_all" for name in ("calm", "random:1") for sign in "+-"}
    assert set(doses["coherence"]) == {"none", "calm+0.0001_L2_all", "calm-0.0001_L2_all"}
    assert json.loads((folder / "calm.json").read_text())["window"] in (0.0001, None)
    assert "nats a token" in capsys.readouterr().out
    assert called("vectors", "kl", made, "--emotion", "clam", *given) == 1
    assert "no vector 'clam'" in capsys.readouterr().err


def test_a_model_that_cannot_write_is_said_to_and_what_it_wrote_is_kept_apart(made, tmp_path, capsys):
    out = tmp_path / "stories.jsonl"
    command = ("stories", "write", made, "-o", out, "--emotion", "calm,angry", "--topic", "lost_key",
               "--per-topic", "1", "--attempts", "2", "--max-tokens", "20")  # fmt: skip
    assert called(*command) == 1
    said = capsys.readouterr()
    assert "0 stories kept, 4 answers refused" in said.out
    assert "2 of 2 stories were refused 2 times" in said.err
    reasons = [
        json.loads(line)["reason"] for line in out.with_suffix(".refused.jsonl").read_text().splitlines()
    ]
    assert len(reasons) == 4
    assert called("stories", "write", made, "-o", out, "--emotion", "clam") == 1
    assert "emotion 'clam' is unknown" in capsys.readouterr().err
    assert called("stories", "write", "--help") == 0
    assert "Example: emodose stories write" in capsys.readouterr().out
