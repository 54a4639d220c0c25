"""Programs of torch.export: nothing of theirs is run but operators, and they are explained."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import torch
from torch import Tensor, nn

from geogaze.errors import GeogazeError, InvalidRequest, UnsupportedArchitecture
from geogaze.evidence.admission import admit
from geogaze.evidence.findings import Said
from geogaze.evidence.routes import explain
from geogaze.models.targets import own
from geogaze.networks.bundling import write_bundle
from geogaze.networks.captured import Captured
from geogaze.networks.checkpoints import read_checkpoint
from geogaze.networks.cuts import cut_at, split
from geogaze.networks.loading import load_model
from geogaze.networks.programs.archive import read_program
from geogaze.networks.programs.program import ARCHITECTURE, Program
from geogaze.networks.programs.steps import Recorded
from tests.unit.evidence.strangers import drawn

SIZE = 64


class Residual(nn.Module):
    """A stem, a block with a skip, and a head that is written with the images' number."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), nn.BatchNorm2d(8), nn.ReLU())
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8))
        self.down = nn.Sequential(nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU())
        self.fc = nn.Linear(16, classes)

    def forward(self, images: Tensor) -> Any:
        early = self.stem(images)
        late = self.down((early + self.block(early)).relu_())
        pooled = nn.functional.adaptive_avg_pool2d(late, 1)
        return {"aux": pooled, "logits": self.fc(pooled.view(pooled.size(0), -1))}


class Gated(Residual):
    """Whose head is none of modules that are known."""

    def forward(self, images: Tensor) -> Any:
        late = self.down(self.stem(images))
        weight = late.flatten(2).softmax(-1)
        return self.fc((late.flatten(2) * weight).sum(-1))


class Labelling(Residual):
    def forward(self, images: Tensor) -> Any:
        maps = self.down(self.stem(images))
        return self.fc(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def export(network: nn.Module, path: Path, batch: bool = True) -> Path:
    free = ({0: torch.export.Dim("batch")},) if batch else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own code
        program = torch.export.export(
            network, (torch.randn(2, 3, SIZE, SIZE),), dynamic_shapes=free
        )
        torch.export.save(program, path)
    return path


@pytest.fixture(scope="module")
def networks() -> dict[str, nn.Module]:
    return {kind.__name__: drawn(kind()) for kind in (Residual, Gated, Labelling)}


@pytest.fixture(scope="module")
def files(networks: dict[str, nn.Module], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("programs")
    for name, network in networks.items():
        export(network, folder / f"{name}.pt2")
    return folder


def program(path: Path) -> Program:
    return Program(*read_program(path))


def images() -> Tensor:
    return torch.randn(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize(("name", "route"), [("Residual", "channel-shift"), ("Gated", "head-vjp")])
def test_it_is_the_network_and_explained_as_that_is(
    networks: dict[str, nn.Module], files: Path, name: str, route: str
) -> None:
    network, ours = networks[name], program(files / f"{name}.pt2")
    wanted, found = network(images()), ours(images())
    if name == "Residual":
        assert list(found) == ["aux", "logits"]
        wanted, found = wanted["logits"], found["logits"]
    torch.testing.assert_close(found, wanted)
    assert set(ours.state_dict()) <= set(network.state_dict())
    admitted = admit(ours, Said(("a", "b", "c"), ("r", "g", "b"), SIZE))
    assert (admitted.route, admitted.registration.stride, admitted.registration.cells) == (
        *(route, 8, 8),
    )
    cut = split(ours)
    evidence = explain(cut, images(), own(range(3)))
    assert evidence.route == route
    # The layer of the original, by autograd.
    maps, logits = _by_autograd(network, images())
    torch.testing.assert_close(evidence.logits, logits)
    torch.testing.assert_close(evidence.evidence, maps, rtol=1e-4, atol=1e-6)
    assert cut.module == "down"


def test_it_is_cut_in_double_precision_too(networks: dict[str, nn.Module], files: Path) -> None:
    network = copy.deepcopy(networks["Residual"]).double()
    evidence = explain(split(program(files / "Residual.pt2").double()), images().double(), own([1]))
    maps, _ = _by_autograd(network, images().double())
    torch.testing.assert_close(evidence.evidence, maps[:, 1:2], rtol=1e-9, atol=1e-12)


def _by_autograd(network: nn.Module, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Grad-CAM behind the last ReLU of the network as it was written, class by class."""
    caught: list[Tensor] = []

    def behind(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        caught.append(output.detach().requires_grad_())
        return caught[0].clone()

    handle = network.down.register_forward_hook(behind)  # type: ignore[operator]
    with torch.enable_grad():
        output = network(pictures)
    handle.remove()
    logits = output["logits"] if isinstance(output, dict) else output
    maps = []
    for index in range(3):
        (gradient,) = torch.autograd.grad(logits[:, index].sum(), caught[0], retain_graph=True)
        maps.append((gradient.sum((2, 3), keepdim=True) * caught[0]).sum(1))
    return torch.stack(maps, 1).detach(), logits.detach()


def test_layers_have_the_names_of_the_modules_or_steps(files: Path) -> None:
    ours = program(files / "Residual.pt2")
    for layer in ("block", "block.1", "steps.batch_norm_1"):
        cut = cut_at(ours, layer)
        assert isinstance(cut, Captured)
        assert cut.module == "steps.batch_norm_1"
        assert cut.maps(images()).shape == (3, 8, 16, 16)
    with pytest.raises(UnsupportedArchitecture, match=r"no layer 'blocks'"):
        cut_at(ours, "blocks")


def test_a_bundle_of_it_holds_its_steps_beside_the_weights(files: Path, tmp_path: Path) -> None:
    ours = program(files / "Residual.pt2")
    bundle = write_bundle(
        *(ours, tmp_path / "mine"),
        architecture=ARCHITECTURE,
        classes=("a", "b", "c"),
        input_size=SIZE,
        graph=False,
        half=False,
    )
    again = load_model(bundle)
    torch.testing.assert_close(again(images())["logits"], ours(images())["logits"])
    torch.testing.assert_close(split(again).maps(images()), split(ours).maps(images()))
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == [
        *("item.json", "model.safetensors"),
    ]


def test_it_may_be_a_checkpoint_for_a_network_that_is_known(
    networks: dict[str, nn.Module], files: Path
) -> None:
    state = read_checkpoint(files / "Residual.pt2")
    torch.testing.assert_close(
        state["block.1.running_var"], networks["Residual"].block[1].running_var
    )


def test_labels_of_pixels_need_a_layer(files: Path) -> None:
    with pytest.raises(UnsupportedArchitecture, match=r"name the layer .* --layer steps\.\w+"):
        admit(program(files / "Labelling.pt2"), Said(("a", "b", "c"), ("r", "g", "b"), SIZE))


Change = Callable[[dict[str, Any]], object]


def rewritten(source: Path, target: Path, change: Change, ends: str = "models/") -> Path:
    """A copy of a file whose JSON is another."""
    with ZipFile(source) as old, ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if f"/{ends}" in name and name.endswith(".json"):
                held = json.loads(data)
                change(held)
                data = json.dumps(held).encode()
            new.writestr(name, data)
    return target


def _node(held: dict[str, Any]) -> dict[str, Any]:
    nodes: list[dict[str, Any]] = held["graph_module"]["graph"]["nodes"]
    return next(node for node in nodes if "relu" in node["target"])


def _static(held: dict[str, Any]) -> None:
    for about in held["graph_module"]["graph"]["tensor_values"].values():
        about["sizes"][:1] = [{"as_int": 1}]


def _calls(target: str) -> Change:
    return lambda held: _node(held).update(target=target)


def _second(held: dict[str, Any]) -> None:
    held["graph_module"]["signature"]["input_specs"] *= 2


def _trains(held: dict[str, Any]) -> None:
    for node in held["graph_module"]["graph"]["nodes"]:
        for given in node["inputs"]:
            if given["name"] == "training":
                given["arg"] = {"as_bool": True}


def _text(held: dict[str, Any]) -> None:
    _node(held)["inputs"].append({"name": "x", "arg": {"as_graph": {}}, "kind": 2})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_static, r"takes 1 image at a time.*Dim\.DYNAMIC"),
        (_calls("torch.os.system"), "torch.os.system, which is none of ATen's"),
        (_calls("torch.ops.aten.from_file.default"), "from_file.default, which"),
        (_calls("torch.ops.aten.set_.source_Storage"), "set_.source_Storage, which"),
        (_calls("torch.ops.higher_order.cond"), "none of ATen's"),
        (_calls("torch.ops.aten.convolution.default"), r"without run_decompositions\(\)"),
        (_calls("_operator.methodcaller"), "none of ATen's"),
        (_second, "takes 2 tensors"),
        (_trains, r"call the module's eval\(\)"),
        (_text, "an argument 'graph'"),
        (lambda held: held.pop("graph_module"), "is no program"),
    ],
)
def test_what_is_not_known_is_refused(
    files: Path, tmp_path: Path, change: Change, message: str
) -> None:
    path = rewritten(files / "Residual.pt2", tmp_path / "other.pt2", change)
    with pytest.raises(GeogazeError, match=message):
        read_program(path)


class Evil:
    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('ran')",)


def test_no_pickle_is_opened(files: Path, tmp_path: Path) -> None:
    path = tmp_path / "evil.pt2"
    with ZipFile(files / "Residual.pt2") as old, ZipFile(path, "w") as new:
        for name in old.namelist():
            inside = "sample_inputs" in name
            new.writestr(name, pickle.dumps(Evil()) if inside else old.read(name))
    assert program(path)(images())["logits"].shape == (3, 3)

    def pickled(held: dict[str, Any]) -> None:
        held["config"]["fc.weight"]["use_pickle"] = True

    weights = rewritten(files / "Residual.pt2", tmp_path / "w.pt2", pickled, "data/weights/")
    with pytest.raises(InvalidRequest, match=r"'fc\.weight' as a pickle"):
        read_program(weights)


def test_files_that_hold_no_program_are_told_so(tmp_path: Path) -> None:
    (tmp_path / "a.pt2").write_bytes(b"nothing")
    with pytest.raises(InvalidRequest, match="is no program"):
        read_program(tmp_path / "a.pt2")
    with pytest.raises(InvalidRequest, match="No such file"):
        read_program(tmp_path / "b.pt2")
    for name, message in (
        ("serialized_exported_program.json", "before 2.8"),
        ("data/aotinductor/m/m.so", "compiled"),
    ):
        with ZipFile(tmp_path / "c.pt2", "w") as archive:
            archive.writestr(name, b"{}")
        with pytest.raises(InvalidRequest, match=message):
            read_program(tmp_path / "c.pt2")


def test_a_bundle_may_no_more_than_a_file(files: Path, tmp_path: Path) -> None:
    text = read_program(files / "Residual.pt2").steps.text()
    assert Recorded.parsed(text).text() == text
    with pytest.raises(UnsupportedArchitecture, match="none of ATen's"):
        Recorded.parsed(text.replace("torch.ops.aten.relu.default", "torch.os.system"))
