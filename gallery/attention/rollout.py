"""Attention rollout (Abnar & Zuidema 2020, arXiv:2005.00928): attention followed through all layers."""

import torch
from torch import Tensor


def roll_on(rollout: Tensor, mean: Tensor) -> Tensor:
    """Return the rollout [T, T] after a layer, from the rollout below it and the mean [T, T] of the layer's heads.

    The layer passes on half its attention and half the residual stream, (A + I) / 2. Row i of the result holds the shares of
    the input tokens in the layer's token i. The rollout below the first layer is the identity.
    """
    return (mean + torch.eye(len(mean), device=mean.device)) / 2 @ rollout
