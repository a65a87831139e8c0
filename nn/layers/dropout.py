"""Layers that set random elements to zero; options, documentation and examples are those of `nn.functional`."""

from nn import functional as F  # noqa: N812  (the customary name in PyTorch code)

from .function_module import FunctionModule

__all__ = ["AlphaDropout", "Dropout"]

PROBABILITY = {"p": {"high": 1.0}}


class Dropout(FunctionModule, function=F.dropout, ranges=PROBABILITY): ...


class AlphaDropout(FunctionModule, function=F.alpha_dropout, ranges=PROBABILITY): ...
