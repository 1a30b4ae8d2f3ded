"""What can go wrong while steering.

ValueError
  SteeringError            anything below, and steering that cannot be done as asked
    LayerNotFound          no decoder layers, or a layer number outside them
    VectorMismatch         a vector file is damaged, or was made for another model
    UnknownLayerOutput     a decoder layer returned what is neither a Tensor nor begins with one
    ReceiptMismatch        a generation was not steered as its condition says
"""


class SteeringError(ValueError):
    """Steering cannot be done as asked."""


class LayerNotFound(SteeringError):
    """The model has no decoder layers that can be found, or not the layer that was asked for."""


class VectorMismatch(SteeringError):
    """A vector file is damaged, incomplete, or does not belong to this model."""


class UnknownLayerOutput(SteeringError):
    """A decoder layer returned something whose residual stream cannot be told."""


class ReceiptMismatch(SteeringError):
    """A receipt does not prove the condition it should prove."""
