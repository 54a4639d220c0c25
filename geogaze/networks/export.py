"""A network as an ONNX graph that gives evidence beside its logits, for runtimes without torch.

See :mod:`geogaze.networks.explained` for which networks there is one.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from geogaze.errors import UnsupportedArchitecture
from geogaze.files import file_sha256
from geogaze.models.bundles import GRAPH_FILE, WEIGHTS_FILE
from geogaze.models.proof import Proof, known_image
from geogaze.networks.captured import Captured
from geogaze.networks.explained import Explained, explained
from geogaze.networks.split import Split

if TYPE_CHECKING:
    import onnx

_OPSET = 20  # of the standard; OpenVINO and ONNX Runtime know it since 2024
_HEADER = 8  # bytes that tell the length of a safetensors header


@dataclass(frozen=True)
class _Stored:
    """Where a tensor lies in ``model.safetensors``, in bytes, and as what."""

    dtype: str
    offset: int
    length: int


def write_graph(
    model: nn.Module, cut: Split | Captured, folder: Path, bands: int, size: int
) -> tuple[str, Proof] | None:
    """Write ``model.onnx`` beside a bundle's weights, into which it points.

    Args:
        model: the network that ``model.safetensors`` in the folder holds.
        cut: the same, cut.
        folder: the bundle's.
        bands: of its images.
        size: their side, pixels.

    Returns:
        The file's sha256, and what it shall give for a known image; None where no graph gives this
        network's evidence, or evidence of all classes would cost more than of the few that are
        asked for, and none is written.
    """
    network = explained(cut)
    if network is None or _dear(network, bands, size):
        return None
    try:
        graph = _graph(network, bands, size)
    except torch.onnx.OnnxExporterError:
        return None  # a network that cannot be traced runs by torch
    _point(graph, _names(model, network), _places(folder / WEIGHTS_FILE))
    path = folder / GRAPH_FILE
    path.write_bytes(graph.SerializeToString(deterministic=True))
    return file_sha256(path), _proof(network, bands, size)


def write_whole_graph(
    model: nn.Module, cut: Split | Captured, path: Path, bands: int, size: int
) -> None:
    """Write a graph with its weights, float32, in one file; arguments as :func:`write_graph`.

    Raises:
        UnsupportedArchitecture: the head's derivatives are not known, or the network cannot be
            traced.
    """
    network = explained(cut)
    if network is None:
        raise UnsupportedArchitecture(
            f"{type(model).__name__} at {cut.module!r} has no graph that gives exact evidence: it "
            "takes pooling and linear layers with ReLU or Hardswish between them behind the layer "
            "that is looked at."
        )
    try:
        graph = _graph(network, bands, size)
    except torch.onnx.OnnxExporterError as error:
        raise UnsupportedArchitecture(
            f"{type(model).__name__} cannot be traced into a graph: {error}"
        ) from error
    path.write_bytes(graph.SerializeToString(deterministic=True))


def _proof(network: Explained, bands: int, size: int) -> Proof:
    with torch.no_grad():
        logits, evidence = network(torch.from_numpy(known_image(bands, size)))
    return Proof.of(logits.numpy(), evidence.numpy())


def _dear(network: Explained, bands: int, size: int) -> bool:
    """Whether evidence by torch is to be had for less: from a tile's cells, which are fewer than
    the classes, where it differs from image to image.
    """
    if network.linear:
        return False
    with torch.no_grad():
        cells: int = network.trunk(torch.zeros(1, bands, size, size))[0, 0].numel()
    return bool(network.last.out_features > cells)


def _graph(network: Explained, bands: int, size: int) -> onnx.ModelProto:
    """Image in, logits and evidence out, any number at once; initialisers as torch names them."""
    import onnx_ir
    from onnxscript import optimizer

    images = torch.zeros(2, bands, size, size)  # two, as one is taken for a constant
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # what the exporter thinks of torch's own code
        program = torch.onnx.export(
            network,
            (images,),
            dynamo=True,
            input_names=["image"],
            output_names=["logits", "evidence"],
            dynamic_shapes=({0: torch.export.Dim("n")},),
            opset_version=_OPSET,
            optimize=False,  # it would fold weights into others, which no file holds
            verbose=False,
        )
        assert program is not None
        optimizer.inline(program.model)
        optimizer.fold_constants(program.model, onnx_shape_inference=False)
        optimizer.remove_unused_nodes(program.model)
    graph: onnx.ModelProto = onnx_ir.serde.serialize_model(program.model)
    _tidy(graph)
    return graph


def _tidy(graph: onnx.ModelProto) -> None:
    """Leave out what does not compute: notes of the exporter, which name this machine's files."""
    used = {name for node in graph.graph.node for name in node.input}
    kept = [tensor for tensor in graph.graph.initializer if tensor.name in used]
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)
    del graph.graph.value_info[:]
    del graph.metadata_props[:]
    del graph.graph.metadata_props[:]
    parts = [*graph.graph.node, *kept, *graph.graph.input, *graph.graph.output]
    for part in parts:
        del part.metadata_props[:]
        part.doc_string = ""
    for node in graph.graph.node:
        node.name = ""
    graph.graph.name = "explained"
    graph.producer_name, graph.producer_version = "geogaze", ""


def _names(model: nn.Module, network: Explained) -> dict[str, str]:
    """What the network's state calls the tensors that the graph knows by other names."""
    stored = {_identity(value): name for name, value in model.state_dict(keep_vars=True).items()}
    return {
        name: stored[_identity(value)]
        for name, value in network.state_dict(keep_vars=True).items()
        if _identity(value) in stored
    }


def _identity(value: Tensor) -> tuple[int, tuple[int, ...]]:
    return value.data_ptr(), tuple(value.shape)


def _places(path: Path) -> dict[str, _Stored]:
    """Where the tensors of a safetensors file lie."""
    import json

    with path.open("rb") as file:
        length = int.from_bytes(file.read(_HEADER), "little")
        header = json.loads(file.read(length))
    begin = _HEADER + length
    return {
        name: _Stored(entry["dtype"], begin + first, last - first)
        for name, entry in header.items()
        if name != "__metadata__"
        for first, last in [entry["data_offsets"]]
    }


def _point(graph: onnx.ModelProto, names: dict[str, str], places: dict[str, _Stored]) -> None:
    """Let initialisers be what lies in the weights' file, widened to float32."""
    from onnx import TensorProto, helper

    dtypes = {"F16": TensorProto.FLOAT16, "F32": TensorProto.FLOAT}
    casts = []
    for tensor in graph.graph.initializer:
        place = places.get(names.get(tensor.name, ""))
        if place is None or place.dtype not in dtypes:
            continue
        wide = tensor.name
        tensor.ClearField("raw_data")
        tensor.data_type = dtypes[place.dtype]
        tensor.data_location = TensorProto.EXTERNAL
        where = {"location": WEIGHTS_FILE, "offset": place.offset, "length": place.length}
        for key, value in where.items():
            tensor.external_data.add(key=key, value=str(value))
        if place.dtype == "F16":
            tensor.name = f"{wide}.half"
            casts.append(helper.make_node("Cast", [tensor.name], [wide], to=TensorProto.FLOAT))
    nodes = list(graph.graph.node)
    del graph.graph.node[:]
    graph.graph.node.extend([*casts, *nodes])
