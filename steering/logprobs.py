"""Log probabilities of generated tokens, as Inspect writes them into its logs."""

from collections.abc import Sequence
from typing import Any

from inspect_ai.model import Logprob, Logprobs, TopLogprob

from steering import request


def as_logprobs(found: Sequence[request.Logprobs] | None, tokenizer: Any) -> Logprobs | None:
    """Inspect's form of what the engine found, with each token as the text it stands for.

    The first entry is the token that was chosen, which need not be the most likely one.
    """
    if found is None:
        return None
    return Logprobs(content=[_logprob(one, tokenizer) for one in found])


def _logprob(one: request.Logprobs, tokenizer: Any) -> Logprob:
    top = [TopLogprob(**_fields(alternative, tokenizer)) for alternative in one.top]
    return Logprob(**_fields(one.chosen, tokenizer), top_logprobs=top or None)


def _fields(one: request.TokenLogprob, tokenizer: Any) -> dict[str, Any]:
    text = tokenizer.decode([one.token], clean_up_tokenization_spaces=False)
    # A token may be a part of a character, whose bytes the decoder does not give.
    whole = "\ufffd" not in text
    return {"token": text, "logprob": one.logprob, "bytes": list(text.encode()) if whole else None}
