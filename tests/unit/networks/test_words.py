"""Images compared with texts: evidence is of the cosine itself, by any route."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from geogaze.errors import InvalidRequest, UnsupportedArchitecture
from geogaze.evidence.admission import admit
from geogaze.evidence.findings import Said
from geogaze.evidence.routes import explain
from geogaze.models.targets import own
from geogaze.networks import architectures
from geogaze.networks.bundling import write_bundle
from geogaze.networks.captured import Captured
from geogaze.networks.cuts import cut_at, split
from geogaze.networks.layouts import Tokens
from geogaze.networks.loading import load_model
from geogaze.networks.split import Split
from geogaze.networks.words import Texts, Worded, read_texts
from tests.unit.evidence.strangers import Net, drawn
from tests.unit.networks.test_transformers import SIZE, network, pictures

FEATURES = 5


def texts(count: int) -> Texts:
    drawn_texts = torch.randn(count, FEATURES, generator=torch.Generator().manual_seed(1))
    return Texts(3 * drawn_texts, tuple(f"text {i}" for i in range(count)))


def by_autograd(
    tower: nn.Module, words: Texts, images: Tensor, at: Split | Captured | None = None
) -> tuple[Tensor, Tensor]:
    """Grad-CAM of 20 cosines, written out, at a layer; None for where the tower is cut."""
    cut, caught = at or split(tower), []

    def catch(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        caught.append(output.detach().requires_grad_())
        return caught[0].clone()

    handle = tower.get_submodule(cut.module).register_forward_hook(catch)
    with torch.enable_grad():
        features = tower(images)
    handle.remove()
    rows = words.embeddings.to(features)
    scores = (
        20
        * (features / features.norm(dim=1, keepdim=True))
        @ (rows / rows.norm(dim=1, keepdim=True)).T
    )
    maps = []
    for index in range(len(rows)):
        (gradient,) = torch.autograd.grad(scores[:, index].sum(), caught[0], retain_graph=True)
        weights = cut.as_maps(gradient).sum(dim=(2, 3), keepdim=True)
        maps.append((weights * cut.as_maps(caught[0])).sum(dim=1))
    return scores.detach(), torch.stack(maps, dim=1).detach()


@pytest.mark.parametrize(
    ("name", "route", "count"),
    [
        ("net", "channel-shift", 4),
        ("net", "channel-shift", 300),  # more than cells
        ("vit", "class-token", 4),
        ("vit", "class-token", 100),
        ("swin", "channel-shift", 4),
    ],
)
def test_evidence_is_of_the_cosine(name: str, route: str, count: int) -> None:
    tower = drawn(Net(FEATURES)).double() if name == "net" else network(name)
    words = texts(count)
    whole = words.behind(tower, 20).double()
    images = pictures()
    found = explain(cut_at(whole), images, own(range(count)))
    scores, maps = by_autograd(tower, words, images)
    assert found.route == route
    torch.testing.assert_close(found.logits, scores, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.evidence, maps, rtol=1e-5, atol=1e-6)


def test_a_layer_inside_and_the_attention_of_blocks_see_texts_too() -> None:
    tower, layer = network("vit").double(), "encoder.layers.encoder_layer_1.ln_1"
    whole = texts(4).behind(tower, 20).double()
    inside = cut_at(whole, layer, Tokens(1))
    assert isinstance(inside, Captured)
    assert cut_at(whole, inside.module, Tokens(1)).module == inside.module
    found = explain(inside, pictures(), own(range(4)))
    scores, maps = by_autograd(tower, texts(4), pictures(), Captured(tower, layer, Tokens(1)))
    torch.testing.assert_close(found.logits, scores)
    torch.testing.assert_close(found.evidence, maps, rtol=1e-5, atol=1e-6)
    told = explain(cut_at(whole), pictures(), own(range(4)), "legrad").evidence
    assert told.shape == (2, 4, 4, 4)
    apart = (told[:, :, None] - told[:, None]).abs().amax((3, 4))
    assert apart[:, *torch.triu_indices(4, 4, 1)].min() > 0.01 * told.max(), "by each text"


def test_a_tower_whose_part_is_called_network_is_cut_where_it_was() -> None:
    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = Net(FEATURES)
            self.trunk, self.head = self.network.trunk, self.network.head

        def forward(self, images: Tensor) -> Tensor:
            return self.head(self.trunk(images))

    whole = texts(4).behind(drawn(Wrapped()), 20)
    for layer in (None, "network.network.trunk"):
        cut = cut_at(whole, layer)
        assert cut_at(whole, cut.module).module == cut.module
        whole.get_submodule(cut.module)


def test_a_bundle_of_it_is_let_in_written_and_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(architectures._OFFERED_HERE, "tower", Net)
    words = texts(7)
    whole = words.behind(drawn(Net(FEATURES)), 20)
    assert words.names is not None
    found = admit(whole, Said(words.names, ("r", "g", "b"), SIZE))
    assert (found.route, found.layer) == ("channel-shift", "network.trunk")
    bundle = write_bundle(
        *(whole, tmp_path / "mine"),
        architecture="tower",
        classes=words.names,
        input_size=SIZE,
        features=FEATURES,
        half=False,
    )
    assert bundle.graph is None
    again = load_model(bundle)
    assert isinstance(again, Worded)
    images = pictures().float()
    torch.testing.assert_close(again(images), whole(images))
    ours, theirs = (
        explain(cut_at(one, bundle.module), images, own(range(7))).evidence
        for one in (again, whole)
    )
    torch.testing.assert_close(ours, theirs)


def test_texts_of_another_network_are_refused() -> None:
    whole = texts(3).behind(drawn(Net(FEATURES + 1)), 20)
    with pytest.raises(
        UnsupportedArchitecture, match="gives 6 features of an image, but the texts"
    ):
        admit(whole, Said(("a", "b", "c"), ("r", "g", "b"), SIZE))


def test_files_of_texts(tmp_path: Path) -> None:
    table = texts(3).embeddings
    np.save(tmp_path / "t.npy", table.numpy())
    save_file({"embeddings": table}, tmp_path / "t.safetensors")
    save_file({"a ship": table[0], "a road": table[1]}, tmp_path / "named.safetensors")
    for name in ("t.npy", "t.safetensors"):
        found = read_texts(tmp_path / name)
        assert found.names is None
        torch.testing.assert_close(found.embeddings, table)
    named = read_texts(tmp_path / "named.safetensors")
    assert named.names is not None
    torch.testing.assert_close(named.embeddings[named.names.index("a ship")], table[0])


def test_files_of_no_texts(tmp_path: Path) -> None:
    np.save(tmp_path / "flat.npy", np.ones(4))
    np.save(tmp_path / "zero.npy", np.zeros((2, 4)))
    np.save(tmp_path / "any.npy", np.array([{}], dtype=object), allow_pickle=True)
    save_file({"a": torch.ones(3), "b": torch.ones(4)}, tmp_path / "odd.safetensors")
    (tmp_path / "text.safetensors").write_text("a ship")
    for name, message in (
        ("flat.npy", "holds no embeddings"),
        ("zero.npy", "or all 0"),
        ("any.npy", "neither"),
        ("odd.safetensors", "holds no embeddings"),
        ("text.safetensors", "neither"),
        ("none.npy", "No such file"),
    ):
        with pytest.raises(InvalidRequest, match=message):
            read_texts(tmp_path / name)
