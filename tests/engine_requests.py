"""What the tests of the engine share: requests to tiny models, and a look at every forward pass."""

import functools
from contextlib import contextmanager

from steering.condition import Condition
from steering.request import Request

LAYER = 2
TEXTS = ("Good morning.", "x", "A rather longer prompt, to be padded around.", "Dear all,")


def dose(vector="desperate", strength=0.5, layers=(LAYER,), positions="all"):
    return Condition(vector, strength, layers, positions) if strength else Condition.baseline()


MIXED = (
    dose(),
    Condition.baseline(),
    dose("calm", -0.3, (1, 3)),
    dose("random:7", 0.4, positions="assistant"),
)


def request(text, tokenizer, condition=None, stream="s", temperature=1.0, max_tokens=12, **settings):
    ids = tokenizer(text)["input_ids"]
    return Request(
        prompt_ids=ids,
        assistant_mask=settings.pop("assistant_mask", [False] * len(ids)),
        condition=condition or Condition.baseline(),
        stream=stream,
        temperature=temperature,
        top_p=settings.pop("top_p", 1.0),
        max_tokens=max_tokens,
        **settings,
    )


def many(tokenizer, count, **settings):
    """Requests of several lengths and conditions, each with a stream of its own."""
    return [request(TEXTS[n % 4], tokenizer, MIXED[n // 4 % 4], f"{n}", **settings) for n in range(count)]


@contextmanager
def every_pass(model, see):
    """Call `see(rows, tokens)` before each forward pass; what it raises, the pass raises."""
    original = model.forward

    @functools.wraps(original)
    def forward(*args, **kwargs):
        see(*kwargs["input_ids"].shape)
        return original(*args, **kwargs)

    model.forward = forward
    try:
        yield
    finally:
        del model.forward
