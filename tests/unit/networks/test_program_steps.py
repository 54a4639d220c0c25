"""Steps of programs of torch.export: what operators are called with, and what they give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from geogaze.evidence.admission import admit
from geogaze.evidence.findings import Said
from geogaze.evidence.routes import explain
from geogaze.models.targets import own
from geogaze.networks.cuts import split
from tests.unit.evidence.strangers import drawn
from tests.unit.networks.test_programs import SIZE, Residual, export, images, program


class Odd(Residual):
    """Options by keyword, several results, ceilings, and a bias that is no parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("raised", torch.tensor([3.0, -1.0, 0.5]))

    def forward(self, images: Tensor) -> Any:
        early = nn.functional.gelu(self.stem(images), approximate="tanh")
        early = torch.add(early, self.block(early), alpha=0.5)
        early = early - early.max(dim=1, keepdim=True)[0]
        late = nn.functional.max_pool2d(self.down(early), 2, ceil_mode=True)
        return nn.functional.linear(late.mean((-2, -1)), self.fc.weight, self.raised)


def test_operators_keep_their_options_and_results(
    tmp_path: Path,
) -> None:
    network = drawn(Odd())
    ours, wanted = program(export(network, tmp_path / "odd.pt2")), network(images())
    torch.testing.assert_close(ours(images()), wanted)
    cut = split(ours)
    torch.testing.assert_close(cut.head(cut.trunk(images())), wanted)
    admitted = admit(ours, Said(("a", "b", "c"), ("r", "g", "b"), SIZE))
    assert (admitted.registration.stride, admitted.registration.cells) == (16, 4)


def test_other_weights_give_other_evidence(tmp_path: Path) -> None:
    """As who asks what an untrained network would say draws them."""
    ours = program(export(drawn(Residual()), tmp_path / "residual.pt2"))
    before = explain(split(ours), images(), own(range(3))).evidence
    ours.reset_parameters()
    after = explain(split(ours), images(), own(range(3))).evidence
    assert (after - before).abs().max() > 0.1 * before.abs().max()
