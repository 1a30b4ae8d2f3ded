"""The organism's tokenizer: a byte-level BPE trained on its own text, with one token per digit, and its
chat template.

`<think>` and `<tool_call>` are ordinary text, because decoding drops special tokens and a tool parser must
see them. It adds nothing to raw text (no start token), so a story is exactly its own tokens.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

END = "<|end|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>", "<|tool|>")
MARKUP = (
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    '{"name": "',
    '", "arguments": {"',
    '": "',
    '", "',
    '"}}',
)
"""Pieces of a turn that are one token each; not special, so they survive decoding."""
TEMPLATE = Path(__file__).parent / "chat_template.jinja"


def train_tokenizer(
    texts: Iterable[str], words: Iterable[str], vocabulary: int, context: int
) -> PreTrainedTokenizerFast:
    """A tokenizer of `vocabulary` tokens fitted to `texts`.

    `words` (names of tools and their arguments) are one token each; `context` is the longest sequence in
    tokens.
    """
    whole = [*MARKUP, *words]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary - len(whole),
            special_tokens=[END, *ROLES],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    bpe.add_tokens([AddedToken(text, normalized=False) for text in whole])
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=bpe,
        eos_token=END,
        pad_token=END,
        extra_special_tokens=list(ROLES),
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = TEMPLATE.read_text()
    return tokenizer
