"""Laws of the per-row random streams."""

import pytest
import torch

from steering.sampling import RowSampler, StopStrings, choose, stream_uniforms

EOS = 9


def sampler(streams, temperature=1.0, top_p=1.0, max_tokens=50):
    return RowSampler(streams, temperature, top_p, max_tokens, [EOS])


def test_a_stream_repeats_and_two_streams_differ():
    assert torch.equal(stream_uniforms("1/keycard/0", 20), stream_uniforms("1/keycard/0", 20))
    assert not torch.equal(stream_uniforms("1/keycard/0", 20), stream_uniforms("1/keycard/1", 20))


def test_a_longer_draw_begins_with_the_shorter_one():
    assert torch.equal(stream_uniforms("a", 5), stream_uniforms("a", 500)[:5])


def test_the_uniforms_are_uniform():
    numbers = stream_uniforms("a", 100_000)
    assert numbers.min() >= 0 and numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.005 and abs(numbers.var() - 1 / 12) < 0.002


@pytest.mark.parametrize("temperature, top_p", [(1.0, 1.0), (0.5, 1.0), (1.0, 0.8), (2.0, 0.6)])
def test_tokens_are_chosen_as_often_as_their_probability_says(temperature, top_p):
    scores = torch.tensor([2.0, -1.0, 0.5, 1.0, -torch.inf, 1.5])
    expected = torch.softmax(scores.double() / temperature, -1)
    order = expected.argsort(descending=True)
    kept = int((expected[order].cumsum(-1) < top_p).sum()) + 1
    outside = order[kept:]
    expected[outside] = 0
    n = 40_000
    tokens = choose(scores.expand(n, -1), stream_uniforms("frequency", n), temperature, top_p)
    found = torch.bincount(tokens, minlength=6) / n
    assert torch.allclose(found, (expected / expected.sum()).float(), atol=0.01)
    assert found[outside].sum() == 0


def test_temperature_0_takes_the_highest_score_and_the_first_of_equals():
    scores = torch.tensor([[0.0, 3.0, 1.0], [2.0, 2.0, 1.0]])
    assert choose(scores, torch.tensor([0.99, 0.99], dtype=torch.float64), 0.0, 1.0).tolist() == [1, 0]


@pytest.mark.parametrize("uniform", [0.0, 0.5, 1 - 2.0**-53])
def test_a_token_of_probability_0_is_never_chosen(uniform):
    scores = torch.tensor([[-torch.inf, 0.1, -torch.inf, 0.3, -torch.inf]])
    token = choose(scores, torch.tensor([uniform], dtype=torch.float64), 1.0, 1.0)
    assert token.item() in (1, 3)


def test_a_row_draws_the_same_whoever_stands_beside_it():
    torch.manual_seed(0)
    scores = torch.randn(20, 4, 11)  # steps, rows, vocabulary
    together, alone = sampler(["a", "b", "c", "d"]), sampler(["c"])
    for step in scores:
        all_rows = together(None, step).argmax(-1)
        assert all_rows[2] == alone(None, step[2:3]).argmax(-1)


def test_the_chosen_token_is_the_only_one_possible():
    forced = sampler(["a", "b"])(None, torch.randn(2, 7))
    assert (forced == 0).sum(-1).tolist() == [1, 1]
    assert torch.isneginf(forced).sum(-1).tolist() == [6, 6]


def test_a_row_is_finished_by_its_end_token_which_counts():
    draw = sampler(["a", "b"], temperature=0)
    script = [(1, 2), (EOS, 3), (4, 4), (4, EOS)]
    running = []
    for step in script:
        draw(None, torch.nn.functional.one_hot(torch.tensor(step), 10).float())
        running.append(draw.running.tolist())
    assert running == [[True, True], [False, True], [False, True], [False, False]]
    assert draw.generated.tolist() == [2, 4]


def test_a_stop_string_finishes_its_row_and_one_in_the_prompt_does_not():
    draw = sampler(["a", "b"])
    stop = StopStrings(draw, ("END",), lambda ids: "".join(map(chr, ids)), prompt_width=3)
    rows = [[ord(c) for c in text] for text in ("ENDxEND", "ENDxxEN")]
    assert stop(torch.tensor(rows), None).tolist() == [True, False]
    assert draw.running.tolist() == [False, True]
