"""The speed of extraction is measured against the bare model on the same stories, and said in one line."""

import pytest
from planted import FROM

from steering.extraction_speed import Speed, extraction_speed, main

pytest_plugins = ("planted_fixtures",)


def test_both_read_every_story_that_is_not_held_out(planted_model, tokenizer, planted_corpus, monkeypatch):
    import steering.extraction_speed as module

    seen = {"extraction": 0, "bare": 0}
    original = planted_model.model.forward

    def counted(*args, **kwargs):
        seen["now"] = seen.get("now", 0) + int(kwargs["attention_mask"].sum())
        return original(*args, **kwargs)

    monkeypatch.setattr(planted_model.model, "forward", counted)
    times = iter(range(1000))
    monkeypatch.setattr(module.time, "perf_counter", lambda: float(next(times)))
    speed = extraction_speed(planted_model, tokenizer, planted_corpus, from_token=FROM, repetitions=1)
    tokens = seen["now"] / 4  # twice each: once for the caches, once timed
    assert tokens == int(tokens), "extraction and the bare model read the same tokens"
    assert speed.stories == 6 * 6 * 2 + 6 + 6 and speed.share == 1


def test_the_share_is_that_of_the_bare_model():
    speed = Speed(10, 45.0, 50.0)
    assert speed.share == 0.9
    assert str(speed) == "extraction: 45 passes/s over 10 stories, bare model 50 passes/s: 90%"


def test_the_command_says_it_in_one_line(model_folder, planted_corpus, tmp_path, capsys):
    assert main([str(model_folder), str(planted_corpus), "--from-token", str(FROM)]) == 0
    assert "passes/s over 84 stories" in capsys.readouterr().out
    assert main([str(model_folder), str(tmp_path / "none.jsonl")]) == 1
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("tokens", [1, 8192])
def test_any_batch_size_will_do(planted_model, tokenizer, planted_corpus, tokens):
    assert extraction_speed(
        planted_model, tokenizer, planted_corpus, from_token=FROM, batch_tokens=tokens, repetitions=1
    ).extraction
