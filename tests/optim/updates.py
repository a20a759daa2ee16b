"""Optimizers against their papers: the same gradients go to Vernier's and to an update in float64 NumPy."""

import numpy as np
import torch

from optim.small_networks import small_net
from vernier.optim.optimizers import make_optimizer

STEPS = 20


def gradients(step, shape):
    """Random gradients of some step, with elements that are exactly 0."""
    values = np.random.default_rng([step, *shape]).normal(size=shape)
    return np.where(np.abs(values) < 0.05, 0.0, values)


def assert_follows(config, update, *, rtol=1e-10):
    """Vernier's weights after 20 steps are those of `update`.

    Args:
        update: From weight, gradient, a dict to keep state in, the step from 1, and the weight decay of this weight to
            the new weight; all float64.
    """
    module = small_net().double().to(memory_format=torch.channels_last)
    optimizer = make_optimizer(module, config)
    weights = {name: parameter.detach().numpy().copy() for name, parameter in module.named_parameters()}
    states = {name: {"name": name} for name in weights}
    for step in range(1, STEPS + 1):
        for name, parameter in module.named_parameters():
            gradient = gradients(step, parameter.shape)
            parameter.grad = torch.from_numpy(gradient)
            decay = config.weight_decay if parameter.ndim > 1 else 0.0
            weights[name] = update(weights[name], gradient, states[name], step, decay)
        optimizer.step()
    for name, parameter in module.named_parameters():
        np.testing.assert_allclose(parameter.detach().numpy(), weights[name], rtol=rtol, atol=rtol, err_msg=name)


def rectification(step, beta2):
    """Liu et al. 2020, algorithm 2, lines 7 to 10; None while the variance is intractable."""
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * step * beta2**step / (1 - beta2**step)
    if rho < 5:
        return None
    return np.sqrt(((rho - 4) * (rho - 2) * rho_inf) / ((rho_inf - 4) * (rho_inf - 2) * rho))


def adam_moments(gradient, state, step, betas):
    """Corrected first and second moments (Kingma & Ba 2015)."""
    b1, b2 = betas
    state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * gradient
    state["v"] = b2 * state.get("v", 0.0) + (1 - b2) * gradient**2
    return state["m"] / (1 - b1**step), state["v"] / (1 - b2**step)
