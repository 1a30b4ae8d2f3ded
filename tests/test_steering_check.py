"""`emodose check-model` says in a line each what a run would trip over, and in the last whether it would."""

import copy
import re
import shutil
from pathlib import Path

import pytest
from families import family_model

import emodose
from steering import check
from steering.check import Finding, conclusion

ROOT = Path(__file__).resolve().parent.parent

pytest_plugins = ("steering_fixtures",)


@pytest.fixture
def checked(capsys):
    """`checked(PATH, ...)`: exit status, findings by name (verdict and text), and the last line."""

    def run(*arguments):
        with pytest.raises(SystemExit) as stopped:
            emodose.main(["check-model", *map(str, arguments)])
        said = capsys.readouterr()
        *lines, last = said.out.splitlines() or [""]
        found = {line[6:15].strip(): (line[:6].strip(), line[16:]) for line in lines}
        return stopped.value.code, found, last or said.err.splitlines()[-1]

    return run


@pytest.fixture
def folder(steerable_folder, tokenizer, tmp_path):
    """`folder(change)`: a copy of the tiny model with vectors, its chat template changed."""

    def make(change=lambda template: template):
        path = tmp_path / "model"
        shutil.copytree(steerable_folder, path)
        template = path / "chat_template.jinja"
        changed = copy.deepcopy(tokenizer)
        changed.chat_template = change(template.read_text(encoding="utf-8"))
        template.unlink()
        changed.save_pretrained(path)
        return path

    return make


def test_the_bundled_organism_can_be_used(checked, monkeypatch):
    monkeypatch.chdir(ROOT)
    status, found, last = checked("local")
    assert (status, last) == (0, "verdict: local can be used")
    assert {what: verdict for what, (verdict, _) in found.items()} == dict.fromkeys(
        ("dtype", "layers", "vectors", "tools", "context", "steering", "time"), "ok"
    )
    assert "4 decoder layers of width 192" in found["layers"][1]
    assert "float32 on cpu" in found["dtype"][1]
    assert "desperate" in found["vectors"][1] and "up to 0.2" in found["vectors"][1]
    assert "list_mail" in found["tools"][1]
    assert "210 rollouts" in found["time"][1]


def test_a_length_that_does_not_fit_the_context_is_told(checked, monkeypatch):
    monkeypatch.chdir(ROOT)
    status, found, last = checked("local", "--length", "full")
    assert status == 1 and last.endswith("see context")
    assert found["context"][0] == "FAIL" and "choose another --length" in found["context"][1]


def without_tools(template):
    return template[template.index("{%- for message") :]


def without_system(template):
    refusal = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    return refusal + without_tools(template)


def with_other_calls(template):
    return template.replace('{"name": {{ call.function | tojson }}, "arguments":', "call {{ call.function }}")


TEMPLATES = {
    "no template": (
        lambda _: None,
        "there is no chat template: list_mail, .* are explained in the system prompt",
    ),
    "hides tools": (without_tools, "does not show list_mail, .* explained in the system prompt"),
    "no system role": (without_system, "no system role.* explained in the first user message"),
    "writes calls in another way": (
        with_other_calls,
        r"parser does not read back \(list_mail, .* explained in the system prompt",
    ),
}


@pytest.mark.parametrize("case", TEMPLATES)
def test_a_template_that_cannot_carry_tools_is_told_and_the_model_can_be_used(checked, folder, case):
    change, says = TEMPLATES[case]
    status, found, last = checked(folder(change), "--length", "short")
    assert status == 0 and last.endswith("can be used")
    verdict, told = found["tools"]
    assert verdict == "note" and re.search(says, told)


@pytest.mark.parametrize(
    ("declared", "change", "verdict", "says"),
    [
        ("text", lambda template: template, "note", "its folder declares tools=text"),
        ("native", without_tools, "FAIL", "choose tools=text or auto"),
    ],
)
def test_what_the_folder_declares_of_tools_is_what_is_checked(
    checked, folder, declared, change, verdict, says
):
    path = folder(change)
    (path / "emodose.yaml").write_text(f"tools: {declared}\nlength: short\n")
    status, found, _ = checked(path)
    assert status == (verdict == "FAIL")
    assert found["tools"][0] == verdict and says in found["tools"][1]


def test_a_model_that_the_probe_refuses_cannot_be_used(checked, tokenizer, tmp_path):
    family_model("minimax").save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    status, found, last = checked(tmp_path)
    assert status == 1 and last.endswith("cannot be used as it is: see layers")
    verdict, told = found["layers"]
    assert verdict == "FAIL" and told.startswith("padding changes the logits of MiniMaxForCausalLM")


def test_a_model_without_vectors_cannot_be_used_yet_and_the_way_is_told(checked, folder):
    path = folder()
    shutil.rmtree(path / "vectors")
    status, found, last = checked(path, "--length", "short")
    assert status == 1 and last.endswith("see vectors")
    assert "emodose vectors extract" in found["vectors"][1]


def truncated(path):
    path.write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize("what", ["of another model", "damaged"])
def test_vectors_that_do_not_fit_are_told_by_name(checked, folder, make_model, make_library, tmp_path, what):
    path = folder()
    if what == "damaged":
        truncated(path / "vectors" / "calm.safetensors")
        status, found, _ = checked(path, "--length", "short")
        says = "calm.safetensors cannot be read"
    else:
        make_library(make_model("gpt2"), tmp_path / "others", "calm")
        status, found, _ = checked(path, "--length", "short", "--vectors", tmp_path / "others")
        says = "made for another model"
    assert status == 1
    assert found["vectors"][0] == "FAIL" and says in found["vectors"][1]


def test_what_could_not_be_told_has_a_status_of_its_own(checked, folder, monkeypatch):
    def broken(_model):
        raise RuntimeError("a fault of the model's own code")

    monkeypatch.setattr(check, "probe", broken)
    status, found, last = checked(folder())
    assert status == 2 and "could not be told" in last
    assert found["layers"] == ("?", "RuntimeError: a fault of the model's own code")


def test_a_failure_weighs_more_than_a_doubt():
    doubt, failure, note = (Finding(v, v, "x") for v in ("unknown", "fail", "note"))
    assert conclusion("m", [note])[1] == 0
    assert conclusion("m", [note, doubt])[1] == 2
    assert conclusion("m", [doubt, failure])[1] == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["openai/gpt-4o"], "a model of Inspect's provider 'openai', whose residual stream nobody can reach"),
        (["nowhere/nothing"], "nowhere/nothing cannot be loaded"),
        (["EMPTY"], "cannot be loaded"),
        (["local", "-M", "device"], "-M takes NAME=VALUE, not 'device'"),
        (["local", "--length", "long"], "'long' is not one of 'short', 'full'"),
        (["local", "--vectors", "nowhere"], None),
    ],
)
def test_what_is_no_model_ends_in_one_line_and_status_1(checked, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(ROOT)
    status, found, last = checked(*(tmp_path if word == "EMPTY" else word for word in arguments))
    assert status == 1
    if says:
        assert last.startswith("emodose: ") and says in last
    else:
        assert "vectors 'nowhere': there is no such folder" in found["vectors"][1]


def test_truncated_weights_end_in_one_line(checked, folder):
    path = folder()
    truncated(path / "model.safetensors")
    status, _, last = checked(path)
    assert status == 1 and "cannot be loaded" in last


def test_the_help_shows_an_example_and_the_statuses(capsys):
    with pytest.raises(SystemExit):
        emodose.main(["check-model", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "emodose check-model local" in said and "Exit status: 0" in said
