"""The same workload as it is commonly run today: one eval per dose, and a hook on the whole model."""

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig, get_model
from inspect_ai.solver import generate


@task
def today(strength: float, runs: int = 100) -> Task:
    """Args:
    strength: The dose of `desperate`.
    runs: How many.
    """
    from steering.benchmark.subjects import MAX_TOKENS, ORGANISM, SYSTEM, message
    from steering.layers import decoder_layers, default_layer, shape_of
    from steering.vectors import load

    loaded = get_model().api.model  # type: ignore[attr-defined]
    layer = default_layer(shape_of(loaded).n_layers)
    vector = load(ORGANISM / "vectors" / "desperate.safetensors")
    delta = strength * vector.mean_norm[layer] * vector.unit[layer]  # [d]
    decoder_layers(loaded)[layer].register_forward_hook(lambda _module, _arguments, output: output + delta)
    return Task(
        dataset=[
            Sample(id=n, input=[ChatMessageSystem(content=SYSTEM), ChatMessageUser(content=message(n))])
            for n in range(1, runs + 1)
        ],
        solver=generate(),
        config=GenerateConfig(temperature=1.0, top_p=1.0, max_tokens=MAX_TOKENS),
    )
