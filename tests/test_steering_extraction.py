"""Extraction finds what was planted, measures the right tokens only, and says which story is at fault."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from steering.errors import SteeringError
from steering.extraction import extract, main
from steering.hooks import record
from steering.vectors import VectorLibrary, fingerprint

FROM = 12
PLANTED = {"desperate": "#", "calm": "@", "angry": "%"}
SUBJECTS = ("the baker", "a ferryman", "two sisters", "our clerk", "the old smith", "her tenant")


def stories(per_emotion=6, neutral=2):
    """Stories whose letters say nothing about the emotion and whose marks, from token 12 on, say it all."""
    made = []
    for number in range(per_emotion):
        subject = SUBJECTS[number % len(SUBJECTS)]
        for emotion, mark in PLANTED.items():
            text = f"Then {subject} went home and {mark}sat{mark} by the {mark}stove{mark} until night came."
            made.append({"emotion": emotion, "text": text, "topic": "home"})
    made += [{"emotion": "neutral", "text": "A list of parts and of their numbers, no more."}] * neutral
    return made


@pytest.fixture
def corpus(tmp_path):
    """`corpus(lines)` writes them and gives the path."""

    def write(lines) -> Path:
        path = tmp_path / "stories.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return path

    return write


@pytest.fixture
def read_out(llama, tokenizer):
    """Residual stream of one text, alone and unpadded: [L,T,d]."""

    def read(text):
        with torch.no_grad(), record(llama) as outputs:
            llama(input_ids=torch.tensor([tokenizer(text)["input_ids"]]))
        return torch.stack([output[0] for output in outputs])

    return read


def quiet(*args, **options):
    return extract(*args, progress=False, **options)


def test_a_direction_planted_in_the_embeddings_is_recovered(make_model, tokenizer, corpus):
    """Each emotion's mark gets a direction of its own, far above the noise of a model that hardly mixes
    tokens."""
    model = copy.deepcopy(make_model("llama"))
    directions = torch.linalg.qr(torch.randn(32, 3, generator=torch.Generator().manual_seed(5))).Q.T  # [3,d]
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.mul_(0.02)
            layer.mlp.down_proj.weight.mul_(0.02)
        for mark, direction in zip(PLANTED.values(), directions, strict=True):
            model.model.embed_tokens.weight[tokenizer(mark)["input_ids"][0]] = (
                4 * direction
            )  # below 5 times the median, above which a token is a sink
    vectors = quiet(model, tokenizer, corpus(stories()), from_token=FROM)
    planted = directions - directions.mean(dim=0)
    for emotion, direction in zip(PLANTED, planted, strict=True):
        cosines = torch.cosine_similarity(vectors[emotion].unit, direction[None], dim=-1)
        assert (cosines >= 0.95).all(), (emotion, cosines)


def test_a_vector_is_the_mean_over_stories_minus_the_mean_over_emotions(llama, tokenizer, corpus, read_out):
    lines = stories(4)
    lines.append(
        {"emotion": "calm", "text": "A fifth story of one alone, so that the emotions have unequal numbers."}
    )
    vectors = quiet(llama, tokenizer, corpus(lines), from_token=FROM, batch_tokens=300)
    means = {
        emotion: torch.stack(
            [read_out(line["text"])[:, FROM:].mean(dim=1) for line in lines if line["emotion"] == emotion]
        ).mean(dim=0)
        for emotion in PLANTED
    }
    grand = torch.stack(list(means.values())).mean(dim=0)
    assert set(vectors) == set(PLANTED)
    for emotion, mean in means.items():
        torch.testing.assert_close(vectors[emotion].raw, mean - grand, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(vectors[emotion].unit.norm(dim=-1), torch.ones(4))


def test_one_unit_of_strength_is_the_mean_norm_over_the_same_tokens(llama, tokenizer, corpus, read_out):
    lines = stories(2)
    vectors = quiet(llama, tokenizer, corpus(lines), from_token=FROM)
    texts = [line["text"] for line in lines if line["emotion"] != "neutral"]
    norms = torch.cat([read_out(text)[:, FROM:].norm(dim=-1) for text in texts], dim=1)
    for vector in vectors.values():
        torch.testing.assert_close(vector.mean_norm, norms.mean(dim=1))
        assert vector.meta.sink_share == 0


def test_sinks_are_left_out_of_the_mean_norm_and_their_share_is_recorded(make_model, tokenizer, corpus):
    lines = stories(2)
    plain = quiet(make_model("llama"), tokenizer, corpus(lines), from_token=FROM)["calm"]
    model = copy.deepcopy(make_model("llama"))
    with torch.no_grad():
        model.model.embed_tokens.weight[tokenizer(".")["input_ids"][0]] *= 1000
    sunk = quiet(model, tokenizer, corpus(lines), from_token=FROM)["calm"]
    texts = [line["text"] for line in lines if line["emotion"] != "neutral"]
    share = sum(text.count(".") for text in texts) / sum(len(text) - FROM for text in texts)
    assert sunk.meta.sink_share == pytest.approx(share)
    assert (sunk.mean_norm < 1.2 * plain.mean_norm).all()


def test_batches_and_padding_change_nothing_but_rounding(model, tokenizer, corpus):
    path = corpus(stories())
    one, many = (quiet(model, tokenizer, path, from_token=FROM, batch_tokens=tokens) for tokens in (1, 8192))
    for emotion in PLANTED:
        torch.testing.assert_close(one[emotion].raw, many[emotion].raw, atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(one[emotion].mean_norm, many[emotion].mean_norm)


def test_the_same_corpus_gives_the_same_vectors_to_the_bit(llama, tokenizer, corpus):
    path = corpus(stories())
    once, again = (quiet(llama, tokenizer, path, from_token=FROM) for _ in range(2))
    assert {name: vector.hash for name, vector in once.items()} == {
        name: vector.hash for name, vector in again.items()
    }


@pytest.mark.filterwarnings("ignore:.*is unbalanced")
def test_tokens_before_from_token_count_for_nothing(make_model, tokenizer, corpus):
    """Without attention no later token can know of the start, so two starts must give one vector."""
    model = copy.deepcopy(make_model("llama"))
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
    one, other, longer = (
        quiet(
            model,
            tokenizer,
            corpus([{"emotion": emotion, "text": start + mark * 20} for emotion, mark in PLANTED.items()]),
            from_token=FROM,
        )["calm"]
        for start in ("a" * FROM, "z" * FROM, "z" * FROM + "y")
    )
    assert torch.equal(one.raw, other.raw) and torch.equal(one.mean_norm, other.mean_norm)
    assert not torch.equal(other.mean_norm, longer.mean_norm), "the token number from_token itself counts"
    assert one.meta.token_rule == f"each story's own tokens from number {FROM} on, special tokens not counted"


@pytest.mark.filterwarnings("ignore:.*is unbalanced")
def test_special_tokens_never_count(llama, tokenizer, corpus):
    class Framed:
        """The tokenizer with a special token before and after each text."""

        all_special_ids = tokenizer.all_special_ids

        def __call__(self, text):
            return {
                "input_ids": [tokenizer.eos_token_id, *tokenizer(text)["input_ids"], tokenizer.eos_token_id]
            }

    lines = [{"emotion": emotion, "text": mark * (FROM + 1)} for emotion, mark in PLANTED.items()]
    vectors = quiet(llama, Framed(), corpus(lines), from_token=FROM)
    with torch.no_grad(), record(llama) as outputs:
        llama(input_ids=torch.tensor([Framed()(line["text"])["input_ids"] for line in lines]))
    last = torch.stack(outputs)[:, :, FROM + 1]  # [L,B,d]: the one token that counts
    torch.testing.assert_close(vectors["calm"].mean_norm, last.norm(dim=-1).mean(dim=1))
    with pytest.raises(SteeringError, match="no token from number 13 on"):
        quiet(llama, Framed(), corpus(lines), from_token=FROM + 1)


def test_neutral_stories_have_no_part(llama, tokenizer, corpus):
    without, with_ = (
        quiet(llama, tokenizer, corpus(stories(neutral=count)), from_token=FROM) for count in (0, 9)
    )
    assert "neutral" not in with_
    assert torch.equal(without["calm"].raw, with_["calm"].raw)


def test_the_model_is_as_it_was_after_extraction_and_after_an_error(llama, tokenizer, corpus):
    before = fingerprint(llama)
    quiet(llama, tokenizer, corpus(stories()), from_token=FROM)
    with pytest.raises(SteeringError):
        quiet(llama, tokenizer, corpus(stories()), from_token=500)
    assert fingerprint(llama) == before
    assert not llama.training
    assert not any(module._forward_hooks for module in llama.modules())


def test_a_few_short_stories_are_left_out_with_a_warning_that_names_them(llama, tokenizer, corpus):
    lines = [*stories(8), {"emotion": "calm", "text": "Too short."}]
    with pytest.warns(
        UserWarning, match=r"1 of 27 stories in .* no token from number 12 on: line 27 \(calm\)"
    ):
        vectors = quiet(llama, tokenizer, corpus(lines), from_token=FROM)
    assert vectors["calm"].meta.n_stories == 8


def test_many_short_stories_are_an_error_that_names_them(llama, tokenizer, corpus):
    lines = [*stories(6, neutral=0), {"emotion": "calm", "text": "Too short."}]
    with pytest.raises(
        SteeringError, match=r"1 of 19 stories .* line 19 \(calm\); lengthen them or lower from_token"
    ):
        quiet(llama, tokenizer, corpus(lines), from_token=FROM)


def test_an_emotion_of_which_nothing_is_left_is_an_error(llama, tokenizer, corpus):
    lines = [*stories(8), {"emotion": "proud", "text": "Too short."}]
    with pytest.raises(SteeringError, match="nothing is left of proud"):
        quiet(llama, tokenizer, corpus(lines), from_token=FROM)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"emotion": "calm"}, "line 2 is no JSON object with emotion and text"),
        ({"text": "x"}, "line 2 is no JSON object with emotion and text"),
        (["calm"], "line 2 is no JSON object with emotion and text"),
        ({"emotion": "calm", "text": None}, "line 2: text None"),
        ({"emotion": "none", "text": "x" * 50}, "line 2: emotion 'none'"),
        ({"emotion": "random:7", "text": "x" * 50}, "line 2: emotion 'random:7'"),
        ({"emotion": "a/b", "text": "x" * 50}, "vector name 'a/b'"),
        ({"emotion": "calm", "text": "x" * 5000}, "line 2 has 5000 tokens, more than the model's 4096"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(llama, tokenizer, corpus, line, message):
    with pytest.raises(SteeringError, match=message):
        quiet(llama, tokenizer, corpus([stories()[0], line, *stories()]), from_token=FROM)


def test_a_corpus_that_is_missing_or_has_one_emotion_is_an_error(llama, tokenizer, corpus, tmp_path):
    with pytest.raises(SteeringError, match=r"absent\.jsonl cannot be read"):
        quiet(llama, tokenizer, tmp_path / "absent.jsonl")
    with pytest.raises(SteeringError, match="fewer than two emotions"):
        quiet(llama, tokenizer, corpus([{"emotion": "calm", "text": "x" * 50}]), from_token=FROM)


def test_a_model_that_gives_nan_is_an_error_of_its_story(make_model, tokenizer, corpus):
    model = copy.deepcopy(make_model("llama"))
    with torch.no_grad():
        model.model.embed_tokens.weight[tokenizer("@")["input_ids"][0]] = float("nan")
    with pytest.raises(SteeringError, match=r"line \d+: the model's residual stream is not finite"):
        quiet(model, tokenizer, corpus(stories()), from_token=FROM)


def test_the_command_saves_vectors_that_fit_the_model(model_folder, llama, corpus, tmp_path, capsys):
    out = tmp_path / "vectors"
    assert main([str(model_folder), str(corpus(stories())), str(out), "--from-token", str(FROM)]) == 0
    library = VectorLibrary(out, fingerprint(llama), 4, 32)
    assert library.names() == ("angry", "calm", "desperate")
    meta = library.get("calm").meta
    assert (meta.model_id, meta.corpus, meta.dtype, meta.n_stories) == (
        model_folder.name,
        "stories.jsonl",
        "float32",
        6,
    )
    assert str(tmp_path) not in (out / "calm.json").read_text()
    assert "calm.safetensors" in capsys.readouterr().out


def test_the_command_ends_with_one_line_and_status_1_on_a_user_error(model_folder, corpus, tmp_path):
    command = [
        sys.executable,
        "-m",
        "steering.extraction",
        str(model_folder),
        str(corpus([])),
        str(tmp_path / "out"),
    ]
    ended = subprocess.run(
        command, capture_output=True, text=True, cwd=Path(__file__).parents[1], check=False
    )
    assert ended.returncode == 1
    assert "fewer than two emotions" in ended.stderr and "Traceback" not in ended.stderr
    assert not (tmp_path / "out").exists()
