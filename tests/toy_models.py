"""Models as plain as can be, whose faults a test can choose."""

from torch import nn


class Block(nn.Module):
    def __init__(self, width: int = 8, experts: int = 0):
        super().__init__()
        self.mix = nn.Linear(width, width)
        self.experts = nn.ModuleList(nn.Linear(width, width) for _ in range(experts))

    def forward(self, hidden):
        return hidden + self.mix(hidden)


class Config:
    def __init__(self, layers: int, width: int = 8):
        self.num_hidden_layers, self.hidden_size = layers, width

    def get_text_config(self):
        return self


class Output:
    def __init__(self, logits):
        self.logits = logits


class Toy(nn.Module):
    """A model as plain as can be, whose blocks and whose path to the logits a test can choose."""

    def __init__(self, *blocks: nn.Module, width: int = 8, deaf: bool = False):
        super().__init__()
        self.config = Config(len(blocks), width)
        self.embed, self.blocks, self.deaf = nn.Embedding(16, 8), nn.ModuleList(blocks), deaf

    def get_input_embeddings(self):
        return self.embed

    def forward(self, input_ids, **_):
        hidden = start = self.embed(input_ids)
        for block in self.blocks:
            hidden = block(hidden)
            hidden = hidden[0] if isinstance(hidden, tuple | list) else hidden
        return self.read_out(start if self.deaf else hidden)

    def read_out(self, hidden):
        return Output(hidden @ self.embed.weight.T)
