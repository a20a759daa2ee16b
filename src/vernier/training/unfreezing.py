"""Frozen layers that begin to train in a later epoch (`train.unfreeze`)."""

from dataclasses import replace

from vernier.config.train import UnfreezeConfig
from vernier.models.freeze import unfreeze
from vernier.optim.groups import parameter_groups
from vernier.training.log import logger
from vernier.training.setup import Setup


def unfrozen_for(setup: Setup, epoch: int) -> Setup:
    """The training with all stages applied that have begun by an epoch.

    Which stages a training has been through shows in its optimizer: a checkpoint that is written after this for the
    same epoch has the same parameter groups.

    Args:
        setup: Through all stages of earlier epochs, or through none.
        epoch: The epoch that trains next, from 0.
    """
    done = setup.unfrozen
    for stage in setup.config.train.unfreeze[done:]:
        if stage.epoch <= epoch + 1:
            setup = _unfrozen(setup, stage)
    return setup


def _unfrozen(setup: Setup, stage: UnfreezeConfig) -> Setup:
    parameters = unfreeze(setup.model, stage.layers)
    if setup.group.rank == 0:
        count = sum(parameter.numel() for parameter in parameters)
        logger.info("from epoch %d on, %s more parameters train", stage.epoch, f"{count:,}")
    optimizer = setup.optimizer.optimizer  # type: ignore[attr-defined]
    added = parameter_groups(setup.model, setup.config.optimizer, parameters, stage.lr)
    for group in added:
        optimizer.add_param_group({**group, "name": f"epoch{stage.epoch}_{group['name']}"})
    # Processes exchange the gradients of what trained when the module was wrapped.
    module, wrapped = setup.fabric.setup(setup.trained, optimizer, move_to_device=True)
    return replace(
        setup,
        module=module,
        optimizer=wrapped,
        base_learning_rates=(*setup.base_learning_rates, *(group["lr"] for group in added)),
        unfrozen=setup.unfrozen + 1,
    )
