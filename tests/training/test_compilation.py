import pytest
import torch
from torch import nn

from vernier.training.compilation import CompiledForFullBatches


def test_full_batches_run_compiled_code_and_others_do_not(monkeypatch):
    asked = []

    def compiled(model, **options):
        asked.append(options)
        return lambda images: model(images) + 1

    monkeypatch.setattr(torch, "compile", compiled)
    model = nn.Flatten()
    wrapped = CompiledForFullBatches(model, 4, torch.device("cpu"))
    assert torch.equal(wrapped(torch.zeros(4, 3)), torch.ones(4, 3))
    assert torch.equal(wrapped(torch.zeros(3, 3)), torch.zeros(3, 3))
    assert asked == [{"dynamic": False, "mode": "default"}]


@pytest.mark.slow
def test_compiled_code_gives_what_the_model_gives():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5))
    images = torch.rand(4, 3, 8, 8)
    model(images)
    wrapped = CompiledForFullBatches(model.eval(), 4, torch.device("cpu"))
    assert torch.allclose(wrapped(images), model(images), atol=1e-5)
