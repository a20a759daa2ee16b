"""What users write themselves, for random configs."""


def falling(progress):
    """A schedule."""
    return 1 - progress / 2


def squared(logits, targets):
    """A loss for every task."""
    return (logits.float() ** 2).mean(dim=1)


def half_right(evaluated):
    """An evaluator."""
    return {"half_right": 0.5}
