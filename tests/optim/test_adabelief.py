import numpy as np
import pytest

from optim.updates import assert_follows, rectification
from vernier.config.optimizer import AdaBeliefConfig
from vernier.optim import adabelief


def paper(lr, betas, eps, rectify, amsgrad):
    def update(w, g, state, step, decay):
        b1, b2 = betas
        m = state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * g
        s = state["s"] = b2 * state.get("s", 0.0) + (1 - b2) * (g - m) ** 2 + eps
        if amsgrad:
            s = state["max"] = np.maximum(state.get("max", 0.0), s)
        w = w * (1 - lr * decay)
        m_hat, s_hat = m / (1 - b1**step), s / (1 - b2**step)
        r = rectification(step, b2) if rectify else 1.0
        return w - lr * m_hat if r is None else w - lr * r * m_hat / (np.sqrt(s_hat) + eps)

    return update


@pytest.mark.parametrize("rectify", [True, False])
@pytest.mark.parametrize("amsgrad", [True, False])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.8, 0.9)])
def test_twenty_steps_are_the_papers(rectify, amsgrad, betas):
    config = AdaBeliefConfig(lr=0.01, betas=betas, weight_decay=0.1, rectify=rectify, amsgrad=amsgrad)
    assert_follows(config, paper(0.01, betas, 1e-16, rectify, amsgrad))


def test_rectification_begins_with_the_sixth_step():
    assert [adabelief.rectification(step, 0.999) is None for step in range(1, 8)] == [True] * 5 + [False] * 2
    assert adabelief.rectification(10**5, 0.999) == pytest.approx(1, abs=1e-12)
