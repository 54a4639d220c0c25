"""GoogLeNet and Inception v3, which transform their input themselves."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torchvision.models import GoogLeNet, Inception3

from geogaze.networks.families.family import Family, torchvision_network
from geogaze.networks.split import Split


class _Preprocess(nn.Module):
    """A network's own input transform."""

    def __init__(self, transform: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.transform = transform

    def forward(self, x: Tensor) -> Tensor:
        return self.transform(x)


def _split(model: GoogLeNet | Inception3) -> Split:
    names = [name for name, _ in model.named_children()]
    stages = names[: names.index("avgpool")]
    stages = [name for name in stages if not name.lower().startswith("aux")]
    trunk = nn.Sequential(
        _Preprocess(model._transform_input),  # noqa: SLF001  part of its forward
        *(getattr(model, name) for name in stages),
    )
    head = nn.Sequential(model.avgpool, nn.Flatten(1), model.dropout, model.fc)
    return Split(trunk, head, stages[-1])


def _build(architecture: str, classes: int, published: bool) -> nn.Module:  # noqa: FBT001  a Build
    return torchvision_network(
        architecture,
        classes,
        published,
        aux_logits=False,
        init_weights=False,  # takes a minute; torch's default will do for training
        transform_input=published,  # published weights come with a change of normalisation
    )


FAMILY = Family(("googlenet", "inception"), (GoogLeNet, Inception3), _split, _build)
