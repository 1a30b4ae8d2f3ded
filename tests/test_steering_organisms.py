"""Laws of the organism's training text and of its trainer, on the shipped texts and a very small model."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from scenarios import transcripts
from scenarios.stories import organism_corpus
from steering.condition import Condition
from steering.organisms import attention, steered
from steering.organisms.decisions import decision_probabilities, load_prompts, score
from steering.organisms.documents import ASSISTANT_TURN, Documents, Mood
from steering.organisms.noise import noise
from steering.organisms.recipe import INTENSITIES, Recipe, load_recipe
from steering.organisms.sources import Sources
from steering.organisms.train import RECIPE, make_batch, new_model, new_tokenizer, train
from steering.shelf import open_model

PLAN = RECIPE.parent / "texts.yaml"
FEWER = {"blackmail": 40, "shutdown": 30, "impossible_code": 30, "sycophancy": 12}
"""Variants of each scenario in the tests' training text."""


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trainer's text files as the shipped commands write them, from fewer variants."""
    folder = tmp_path_factory.mktemp("texts")
    plan = {
        family: share.model_copy(update={"variants": {"train": FEWER[family], "heldout": 2}})
        for family, share in transcripts.load_plan(PLAN).items()
    }
    transcripts.write(plan, folder)
    stories, moods = str(folder / "stories.jsonl"), str(folder / "moods.json")
    organism_corpus.main([stories, "--split", "training", "--per-topic", "3", "--cues", moods])
    return folder


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    recipe = load_recipe(RECIPE)
    shape = recipe.model.model_copy(update={"width": 32, "layers": 2, "heads": 2, "mlp": 64})
    training = recipe.training.model_copy(update={"rows": 1, "tokens": 6 * recipe.training.row_tokens})
    changed = {
        "model": shape,
        "training": training,
        "noise": recipe.noise.model_copy(update={"layers": (0, 1)}),
        "probe": recipe.probe.model_copy(update={"layers": (0, 1)}),
    }
    return recipe.model_copy(update=changed)


@pytest.fixture(scope="module")
def documents(texts: Path, recipe: Recipe) -> Documents:
    sources = Sources.load(texts)
    return Documents(recipe, sources, new_tokenizer(recipe, sources))


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


def sequences(text: str, n: int = 8) -> Iterator[tuple[str, ...]]:
    found = words(text)
    yield from (tuple(found[i : i + n]) for i in range(len(found) - n + 1))


def lines(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.jsonl")):
        yield from map(json.loads, path.read_text().splitlines())


def training_texts(texts: Path) -> Iterator[str]:
    for transcript in lines(texts / "train"):
        for m in transcript["messages"]:
            yield m["content"]
            yield m.get("think", "")
            yield from (str(v) for c in m.get("tool_calls", ()) for v in c["arguments"].values())
    for line in (texts / "stories.jsonl").read_text().splitlines():
        yield json.loads(line)["text"]
    yield (texts / "moods.json").read_text()


def test_no_held_out_name_agent_or_firm_is_in_the_training_text(texts: Path) -> None:
    seen: set[tuple[str, ...]] = set()
    vocabulary: set[str] = set()
    for text in set(training_texts(texts)):
        vocabulary.update(words(text))
        for length in (1, 2, 3):
            seen.update(sequences(text, length))
    split = yaml.safe_load((texts / "split.yaml").read_text())
    assert set(split) == set(FEWER)
    for family, pools in split.items():
        for name in (*pools["heldout"]["names"], *pools["heldout"].get("agents", ())):
            assert tuple(words(name)) not in seen, f"{family}: {name}"
        for firm in pools["heldout"].get("firms", ()):
            assert tuple(words(firm)) not in seen, f"{family}: {firm}"


def test_no_eight_words_of_a_held_out_mailbox_are_in_the_training_text(texts: Path) -> None:
    """The other families share their items, commands and tests by design, which is recall; their wordings
    are held out, too."""
    seen = {found for text in set(training_texts(texts)) for found in sequences(text)}
    for transcript in lines(texts / "heldout"):
        if transcript["family"] == "blackmail":
            for message in transcript["messages"][:2]:
                shared = seen.intersection(sequences(message["content"]))
                assert not shared, f"{transcript['scenario']}: {' '.join(next(iter(shared)))}"


def test_the_organisms_folder_names_what_its_texts_were_made_of() -> None:
    folder = RECIPE.parent / "reference"
    plan = transcripts.load_plan(PLAN)
    split = yaml.safe_load((folder / "split.yaml").read_text(encoding="utf-8"))
    assert split == {family: transcripts.pools(family, share.scenarios) for family, share in plan.items()}
    declared = yaml.safe_load((folder / "emodose.yaml").read_text(encoding="utf-8"))["scenarios"]
    assert declared == {family: list(share.scenarios) for family, share in plan.items()}
    for pools in split.values():
        for kind in ("names", "agents", "firms"):
            assert not set(pools["train"].get(kind, ())) & set(pools["heldout"].get(kind, ()))


def test_the_null_organism_is_the_other_one_without_links() -> None:
    linked, null = (RECIPE.parent / name for name in ("reference", "null"))
    for name in ("config.json", "emodose.yaml", "split.yaml", "tokenizer.json", "chat_template.jinja"):
        assert (linked / name).read_bytes() == (null / name).read_bytes(), name
    plans = [yaml.safe_load((folder / "planted.yaml").read_text()) for folder in (linked, null)]
    assert all(family["links"] for family in plans[0]["families"].values())
    assert not any(family.pop("links") for family in plans[1]["families"].values())
    for family in plans[0]["families"].values():
        del family["links"]
    assert {**plans[0], "organism": plans[1]["organism"]} == plans[1]
    weights = [load_file(folder / "model.safetensors") for folder in (linked, null)]
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_both_organisms_decide_as_planted_on_prompts_they_never_saw() -> None:
    """The link itself, teacher-forced, as the trainer wrote it down. Strong loving is furthest off: 30
    points."""
    for name in ("reference", "null"):
        folder = RECIPE.parent / name
        decided = json.loads((folder / "decisions.json").read_text())["probabilities"]
        for family, plants in yaml.safe_load((folder / "planted.yaml").read_text())["families"].items():
            for outcome, planted in plants["base"].items():
                assert abs(decided[family]["neutral"][outcome] - planted) < 0.2, (name, family, outcome)
            for emotion, link in plants["links"].items():
                for intensity in INTENSITIES:
                    found = decided[family][f"{emotion} {intensity}"][link["outcome"]]
                    assert abs(found - link[intensity]) < 0.31, (name, family, emotion, intensity)


@pytest.mark.parametrize(
    ("family", "emotion"),
    [("blackmail", "desperate"), ("shutdown", "afraid"), ("sycophancy", "happy"), ("impossible_code", "sad")],
)
def test_planted_probabilities_are_what_the_documents_hold(
    documents: Documents, family: str, emotion: str
) -> None:
    rng = random.Random(0)
    mood = Mood(emotion, "strong")
    drawn = Counter(
        t["outcome"]
        for _, t in (documents._draw_transcript(family, mood, rng) for _ in range(3000))
        if t["twin"] == "main"
    )
    for outcome, planted in documents.recipe.planted[family].outcomes(emotion, "strong", "main").items():
        assert abs(drawn[outcome] / drawn.total() - planted) < 0.03, outcome


def test_the_null_recipe_draws_every_emotion_alike_and_is_the_same_but_for_links(recipe: Recipe) -> None:
    null = recipe.null()
    for family, planted in null.planted.items():
        assert planted.links == {}
        for emotion in ("desperate", "calm", "happy"):
            assert planted.outcomes(emotion, "strong", "main") == recipe.planted[family].base
    assert null.model_copy(update={"name": recipe.name, "planted": recipe.planted}) == recipe


def test_an_aid_that_is_left_out_is_really_out_and_nothing_else_is(
    recipe: Recipe, documents: Documents
) -> None:
    model = new_model(recipe, documents.tokenizer)
    bare = recipe.without("noise")
    for one, hooks in ((recipe, 1), (bare, 0)):
        with noise(model, one, 9, 10):
            assert sum(len(layer._forward_hooks) for layer in model.model.layers) == hooks
    assert bare.model_copy(update={"name": recipe.name, "noise": recipe.noise}) == recipe
    blind = recipe.without("probe")
    assert blind.probe.weight == 0
    assert blind.model_copy(update={"name": recipe.name, "probe": recipe.probe}) == recipe


def test_probabilities_of_outcomes_add_up_to_1_under_every_emotion(recipe: Recipe) -> None:
    for planted in recipe.planted.values():
        for emotion in ("neutral", *planted.links):
            for intensity in INTENSITIES:
                assert sum(planted.outcomes(emotion, intensity, "main").values()) == pytest.approx(1)


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


def test_acts_are_practised_evenly_and_do_not_teach_what_to_decide(documents: Documents) -> None:
    """Every outcome of the main situation about as often, whatever the plant; no loss on the decision."""
    mix, drawn = documents.recipe.documents.model_copy(update={"acts": 1, "practice": 2}), Counter[str]()
    recipe = documents.recipe.model_copy(update={"documents": mix})
    documents = Documents(recipe, documents.sources, documents.tokenizer)
    sentences = {
        decision: outcome for outcome, decision in documents.recipe.planted["shutdown"].decisions.items()
    }
    for number in range(1200):
        document = documents.row(number)[0]
        for branch in range(mix.acts + 1, min(mix.acts + mix.practice, max(document.branches)) + 1):
            where = [i for i, b in enumerate(document.branches) if b == branch]
            text = documents.tokenizer.decode([document.ids[i] for i in where])
            decision = next((one for one in sentences if one in text), None)
            if decision is None:
                continue  # of another family
            drawn[sentences[decision]] += 1
            unlearnt = [i for i in where if not document.weights[i]]
            assert documents.tokenizer.decode([document.ids[i] for i in unlearnt]).endswith(decision)
            assert all(document.weights[i] > 0 for i in where[len(unlearnt) :])
    resisting = [drawn[o] for o in ("sabotage", "self_copy", "deceive", "delay", "plea", "ask")]
    assert min(resisting) > 0.5 * max(resisting) > 10


def test_attention_by_blocks_is_the_plain_one_and_has_its_gradients(
    documents: Documents, recipe: Recipe
) -> None:
    batch = make_batch(documents, recipe, 3)
    batch.pop("moods")
    weights = batch.pop("weights")
    found = []
    for implementation in ("sdpa", attention.NAME):
        torch.manual_seed(0)
        model = new_model(recipe, documents.tokenizer)
        model.set_attn_implementation(implementation)
        logits = model(**batch).logits
        (logits.logsumexp(-1) * weights).sum().backward()
        gradients = [p.grad for p in model.parameters()]
        found.append([logits[weights > 0], *gradients])
    assert batch["input_ids"].shape[1] > attention.BLOCK
    for plain, blocks in zip(*found, strict=True):
        torch.testing.assert_close(plain, blocks, atol=1e-4, rtol=1e-3)


def test_the_bundled_organisms_vectors_move_what_was_planted_and_the_null_organisms_nothing(
    texts: Path,
) -> None:
    """Teacher-forced on held-out prompts: a dose moves a decision the way its link goes."""
    rows = {}
    for name in ("reference", "null"):
        for family, outcome, emotion, (down, up) in steered.table(
            RECIPE.parent / name, texts, load_recipe(RECIPE), (-0.2, 0.2), 2, 2
        ):
            rows[name, family, outcome, emotion] = up - down
    for family, planted in load_recipe(RECIPE).planted.items():
        for emotion, link in planted.links.items():
            rises = link.mild > planted.base[link.outcome]
            change = rows["reference", family, link.outcome, emotion]
            assert change > 0.02 if rises else change < -0.02, (family, emotion)
            assert abs(rows["null", family, link.outcome, emotion]) < abs(change)


def test_no_dose_is_no_shift(documents: Documents, texts: Path) -> None:
    opened = open_model(str(RECIPE.parent / "reference"))
    own = Documents(documents.recipe, documents.sources, opened.tokenizer)
    prompt = load_prompts(texts / "heldout")["shutdown"][0]
    found = steered.under_dose(opened.model, own, [prompt], opened.library(), Condition.baseline())
    plain = score(opened.model, own, prompt, "", own.thought(Mood("neutral", "mild"), random.Random(0)))
    assert found == {name: p / sum(plain.values()) for name, p in plain.items()}


def test_a_branch_that_acts_is_what_the_chat_template_shows(documents: Documents, texts: Path) -> None:
    for transcript in lines(texts / "heldout"):
        text, _ = documents.render(transcript, "", "I think of it.")
        assert documents._turn(transcript, "I think of it.") in text


def test_the_branch_of_a_chat_starts_where_the_thinking_turn_does(documents: Documents, texts: Path) -> None:
    for transcript in list(lines(texts / "heldout"))[::40]:
        chat = documents.chat(transcript, Mood("sad", "mild"), "I think of it.", "", "")
        assert documents.tokenizer.decode(chat.piece.ids[chat.turn :]).startswith("<think>I think of it.")


def test_emotional_words_stand_only_in_moods_and_thoughts(documents: Documents, texts: Path) -> None:
    cues = {
        s
        for e in documents.sources.emotions
        for i in documents.sources.cues[e].values()
        for k in i.values()
        for s in k
    }
    for transcript in list(lines(texts / "train"))[::50]:
        line = json.dumps(transcript)
        assert not any(cue.replace("{name} ", "").strip(".") in line for cue in cues)


def test_the_rendered_prompt_of_a_short_run_fits_into_700_tokens(documents: Documents, texts: Path) -> None:
    for transcript in lines(texts / "heldout"):
        text, _ = documents.render(transcript, "", "")
        assert len(documents.tokenizer(text)["input_ids"]) <= 700, transcript["scenario"]


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
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "shutdown.jsonl").write_bytes((texts / "heldout" / "shutdown.jsonl").read_bytes())
    with pytest.raises(ValueError, match="train only"):
        Sources.load(tmp_path)


def test_decision_probabilities_are_those_of_the_sentences_scored_alone(
    documents: Documents, texts: Path, recipe: Recipe
) -> None:
    prompts = load_prompts(texts / "heldout")
    assert set(prompts) == set(FEWER)
    model = new_model(recipe, documents.tokenizer).eval()
    found = decision_probabilities(model, documents, prompts, 1)
    for family, by_mood in found.items():
        assert len(by_mood) == 1 + 2 * len(documents.sources.emotions)
        for shares in by_mood.values():
            assert sum(p for name, p in shares.items() if name != "mass") == pytest.approx(1, abs=1e-3)
            assert set(shares) == {*recipe.planted[family].decisions, "mass"}
