import numpy as np

from optim.updates import assert_follows
from vernier.config.optimizer import LionConfig


def paper(lr, betas):
    def update(w, g, state, step, decay):
        b1, b2 = betas
        m = state.get("m", np.zeros_like(g))
        c = b1 * m + (1 - b1) * g
        state["m"] = b2 * m + (1 - b2) * g
        return w - lr * (np.sign(c) + decay * w)

    return update


def test_twenty_steps_are_the_papers():
    assert_follows(LionConfig(lr=0.01, weight_decay=0.3), paper(0.01, (0.9, 0.99)))
    assert_follows(LionConfig(lr=0.01, betas=(0.5, 0.6)), paper(0.01, (0.5, 0.6)))
