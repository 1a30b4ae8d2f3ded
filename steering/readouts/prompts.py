"""The residual stream at the last token of a prompt, rendered by the model's chat template.

That token is what the answer is read off; Sofroniew et al. 2026 read there too. Without a chat template the
prompt is a plain `Human:` and `Assistant:`, and whoever reports it says so.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from steering.errors import SteeringError
from steering.hooks import record


def has_template(tokenizer: Any) -> bool:
    return bool(getattr(tokenizer, "chat_template", None))


def prompt_ids(tokenizer: Any, text: str) -> list[int]:
    """Token ids of one user message with the opening of the answer."""
    if not has_template(tokenizer):
        return list(tokenizer(f"Human: {text}\n\nAssistant:")["input_ids"])
    messages = [{"role": "user", "content": text}]
    rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return list(tokenizer(rendered, add_special_tokens=False)["input_ids"])


@torch.no_grad()
def last_states(model: Any, prompts: Sequence[Sequence[int]], batch_tokens: int = 8192) -> Tensor:
    """The residual stream after every layer at each prompt's last token, [n,L,d] float32, on the CPU."""
    order = sorted(range(len(prompts)), key=lambda index: -len(prompts[index]))
    device = model.get_input_embeddings().weight.device
    found: list[Tensor | None] = [None] * len(prompts)
    while order:
        rows = max(1, batch_tokens // len(prompts[order[0]]))
        batch, order = order[:rows], order[rows:]
        ids = torch.zeros(len(batch), len(prompts[batch[0]]), dtype=torch.long)  # padded on the right
        real = torch.zeros_like(ids)
        for row, index in enumerate(batch):
            ids[row, : len(prompts[index])] = torch.tensor(list(prompts[index]))
            real[row, : len(prompts[index])] = 1
        with record(model) as outputs:
            model.base_model(input_ids=ids.to(device), attention_mask=real.to(device), use_cache=False)
        ends = real.sum(dim=1) - 1
        states = torch.stack(
            [output[torch.arange(len(batch)), ends.to(output.device)].float().cpu() for output in outputs],
            dim=1,
        )
        if not torch.isfinite(states).all():
            raise SteeringError("the model's residual stream is not finite at the end of a prompt")
        for row, index in enumerate(batch):
            found[index] = states[row]
    return torch.stack([state for state in found if state is not None])
