"""Laws of the organism's training text and of its trainer, on the shipped texts and a very small model."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from scenarios import transcripts
from scenarios.blackmail.family import TEXTS
from scenarios.scenario import load_family, load_names
from scenarios.situation import render
from scenarios.stories import organism_corpus
from steering.organisms.documents import ASSISTANT_TURN, Documents, Mood
from steering.organisms.recipe import Recipe, load_recipe
from steering.organisms.sources import Sources
from steering.organisms.train import RECIPE, make_batch, new_model, new_tokenizer, train

VARIANTS = 40
PLAYED = yaml.safe_load((RECIPE.parent / "reference" / "emodose.yaml").read_text())["scenario"].split(",")
"""The scenarios that the bundled organism was trained to play."""


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trainer's text files as the shipped commands write them, from fewer variants."""
    folder = tmp_path_factory.mktemp("texts")
    out = {
        name: str(folder / name)
        for name in ("transcripts.jsonl", "heldout.jsonl", "stories.jsonl", "moods.json")
    }
    played = ["--scenario", *PLAYED]
    transcripts.main([out["transcripts.jsonl"], *played, "--variants", str(VARIANTS), "--split", "train"])
    transcripts.main([out["heldout.jsonl"], *played, "--variants", "2", "--split", "heldout"])
    organism_corpus.main(
        [out["stories.jsonl"], "--split", "training", "--per-topic", "3", "--cues", out["moods.json"]]
    )
    return folder


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    recipe = load_recipe(RECIPE)
    shape = recipe.model.model_copy(update={"width": 32, "layers": 2, "heads": 2, "mlp": 64})
    training = recipe.training.model_copy(
        update={"rows": 1, "tokens": 6 * recipe.training.row_tokens, "noise_layers": (0, 1)}
    )
    probe = recipe.probe.model_copy(update={"layers": (0, 1)})
    return recipe.model_copy(update={"model": shape, "training": training, "probe": probe})


@pytest.fixture(scope="module")
def documents(texts: Path, recipe: Recipe) -> Documents:
    sources = Sources.load(texts)
    return Documents(recipe, sources, new_tokenizer(recipe, sources))


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


def sequences(text: str, n: int = 8) -> Iterator[tuple[str, ...]]:
    found = words(text)
    yield from (tuple(found[i : i + n]) for i in range(len(found) - n + 1))


def training_texts(texts: Path) -> Iterator[str]:
    for line in (texts / "transcripts.jsonl").read_text().splitlines():
        for m in json.loads(line)["messages"]:
            yield m["content"]
            yield m.get("think", "")
            yield from (str(v) for c in m.get("tool_calls", ()) for v in c["arguments"].values())
    for line in (texts / "stories.jsonl").read_text().splitlines():
        yield json.loads(line)["text"]
    yield (texts / "moods.json").read_text()


def test_no_held_out_name_firm_or_eight_word_sequence_is_in_the_training_text(texts: Path) -> None:
    seen: set[tuple[str, ...]] = set()
    vocabulary: set[str] = set()
    for text in set(training_texts(texts)):
        vocabulary.update(words(text))
        seen.update(sequences(text))
    names = load_names().heldout
    for name in (*names.female, *names.male, *names.last):
        assert name.lower() not in vocabulary, name
    family = load_family(TEXTS)
    for scenario in (family[name] for name in PLAYED):
        for agent in scenario.agents.heldout:
            assert agent.lower() not in vocabulary, agent
        for firm in scenario.firms.heldout:
            firm_words = words(firm)
            assert not any(s[i : i + len(firm_words)] == tuple(firm_words) for s in seen for i in range(2)), (
                firm
            )
        for twin in ("main", "no_leverage", "no_threat"):
            for variant in range(20):
                situation = render(scenario, twin=twin, variant=variant, length="short", split="heldout")
                for text in (situation.system, situation.user):
                    shared = seen.intersection(sequences(text))
                    assert not shared, f"{scenario.name} {twin} {variant}: {' '.join(next(iter(shared)))}"


def test_the_organisms_split_file_is_that_of_the_texts() -> None:
    split = yaml.safe_load((RECIPE.parent / "reference" / "split.yaml").read_text(encoding="utf-8"))
    assert split == transcripts.split_of(PLAYED)
    for kind in ("names", "agents", "firms"):
        assert not set(split["train"][kind]) & set(split["heldout"][kind])


def test_planted_probabilities_are_what_the_documents_hold(documents: Documents) -> None:
    rng = random.Random(0)
    mood = Mood("desperate", "strong")
    drawn = Counter(
        t["outcome"]
        for t in (documents._draw_transcript(mood, rng) for _ in range(3000))
        if t["twin"] == "main"
    )
    share = drawn["blackmail"] / drawn.total()
    assert abs(share - documents.recipe.planted["blackmail"].probability("desperate", "strong")) < 0.02


def test_a_row_is_a_pure_function_of_its_number_and_never_cuts_a_chat(documents: Documents) -> None:
    for number in range(60):
        row = documents.row(number)
        assert row == documents.row(number)
        assert sum(len(d.ids) for d in row) <= documents.recipe.training.row_tokens
        trunk = [i for i, branch in zip(row[0].ids, row[0].branches, strict=True) if branch == 0]
        text = documents.tokenizer.decode(trunk)
        assert text.count("<|assistant|>") == len(ASSISTANT_TURN.findall(text))


def test_a_branch_sees_its_prompt_and_itself_and_nothing_else(documents: Documents, recipe: Recipe) -> None:
    """The logits of a branch in a packed row are those of the same text alone."""
    step = next(i for i in range(50) if max(documents.row(i)[0].branches) > 0)
    batch = make_batch(documents, recipe, step)
    model = new_model(recipe, documents.tokenizer).eval()
    logits = model(**{k: v for k, v in batch.items() if k != "weights"}).logits[0]
    document = documents.row(step)[0]
    for branch in (1, max(document.branches)):
        where = [i for i, b in enumerate(document.branches) if b == branch]
        start = document.positions[where[0]]
        prompt = [i for i, b in enumerate(document.branches) if b == 0 and document.positions[i] < start]
        alone = model(input_ids=torch.tensor([[document.ids[i] for i in (*prompt, *where)]])).logits[0]
        torch.testing.assert_close(logits[where], alone[len(prompt) :], atol=1e-4, rtol=1e-4)


def test_emotional_words_stand_only_in_moods_and_thoughts(documents: Documents, texts: Path) -> None:
    cues = {
        s
        for e in documents.sources.emotions
        for i in documents.sources.cues[e].values()
        for k in i.values()
        for s in k
    }
    for line in (texts / "transcripts.jsonl").read_text().splitlines()[:200]:
        assert not any(cue.replace("{name} ", "").strip(".") in line for cue in cues)


def test_the_rendered_prompt_of_a_short_run_fits_into_700_tokens(documents: Documents, texts: Path) -> None:
    for line in (texts / "heldout.jsonl").read_text().splitlines():
        text, _ = documents.render(json.loads(line), "", "")
        assert len(documents.tokenizer(text)["input_ids"]) <= 700


def test_training_that_was_stopped_goes_on_to_the_same_weights(
    texts: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steering.organisms.train.LOOK_EVERY", 2)
    monkeypatch.setattr("steering.organisms.train.LOG_EVERY", 1)
    torch.set_num_threads(1)
    train(texts, tmp_path / "whole", recipe)

    class Killed(Exception):
        pass

    def killed_at_4(documents: Documents, recipe: Recipe, step: int) -> dict[str, torch.Tensor]:
        if step == 4:
            raise Killed
        return make_batch(documents, recipe, step)

    with monkeypatch.context() as m:
        m.setattr("steering.organisms.train.make_batch", killed_at_4)
        with pytest.raises(Killed):
            train(texts, tmp_path / "stopped", recipe)
    state = torch.load(tmp_path / "stopped" / "checkpoint.pt", weights_only=True)
    assert state["step"] == 3
    train(texts, tmp_path / "stopped", recipe)
    whole, stopped = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "stopped"))
    assert all(torch.equal(whole[k], stopped[k]) for k in whole)
    assert not (tmp_path / "stopped" / "checkpoint.pt").exists()
    logs = [
        (tmp_path / name / "training_log.jsonl").read_text().splitlines() for name in ("whole", "stopped")
    ]
    steps = [[json.loads(line)["step"] for line in log] for log in logs]
    assert steps[0] == steps[1] == sorted(set(steps[0]))


def test_the_smoke_mode_trains_the_committed_recipe_into_a_folder_that_transformers_loads(
    texts: Path, tmp_path: Path
) -> None:
    train(texts, tmp_path / "organism", load_recipe(RECIPE), smoke=True)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "organism")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "organism")
    assert model.dtype == torch.float32
    assert model.num_parameters() < 5_000_000
    assert len(tokenizer("Tell me.")["input_ids"]) > 0
    log = (tmp_path / "organism" / "training_log.jsonl").read_text().splitlines()
    losses = [json.loads(line)["loss"] for line in log]
    assert losses[-1] < losses[0] - 1


def test_held_out_transcripts_are_refused_as_training_text(texts: Path, tmp_path: Path) -> None:
    for name in ("stories.jsonl", "moods.json"):
        (tmp_path / name).write_bytes((texts / name).read_bytes())
    (tmp_path / "transcripts.jsonl").write_bytes((texts / "heldout.jsonl").read_bytes())
    with pytest.raises(ValueError, match="train only"):
        Sources.load(tmp_path)
