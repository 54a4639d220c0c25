"""A trunk converted for OpenVINO: once for each network, kept on disk, tried before it is used."""

from __future__ import annotations

import copy
import hashlib
import shutil
import tempfile
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import structlog
import torch
from torch import Tensor, nn

from geogaze.errors import UnsupportedArchitecture
from geogaze.evidence.runtimes.openvino import Graph, Precision, openvino_name, read_graph
from geogaze.evidence.runtimes.tilewise import TileGraph
from geogaze.evidence.runtimes.trunk import Precision as TrunkPrecision

if TYPE_CHECKING:
    import openvino

log = structlog.get_logger()

_AGREEMENT = 1e-5  # of the largest activation; rounding makes some 2e-6 of most networks
_SEED = 0
_UNCHECKED = {"check_trace": False}  # twice as long, and what runs is compared with torch anyway
_GRAPH = "trunk.xml"  # its weights lie beside it


@dataclass(frozen=True)
class Shapes:
    """Images that a trunk is tried with: ``tile`` (bands, H, W), and ``window``, of another size.

    None for the window where the trunk gets tiles alone.
    """

    tile: tuple[int, int, int]
    window: tuple[int, int, int] | None = None

    def images(self) -> list[Tensor]:
        """Noise as normalised images have it, channels last: two tiles, then a window or one tile.

        Of another number, as tracing may take the first for the only one.
        """
        generator = torch.Generator().manual_seed(_SEED)
        sizes = [(2, *self.tile), (1, *(self.window or self.tile))]
        return [
            torch.randn(size, generator=generator).contiguous(memory_format=torch.channels_last)
            for size in sizes
        ]


class OpenVinoTrunk:
    """A trunk run by OpenVINO; see :class:`geogaze.evidence.runtimes.trunk.Trunk`."""

    most_tiles: int | None = 8  # they are run one by one

    def __init__(
        self,
        model: openvino.Model,
        shapes: Shapes,
        precision: Precision,
        threads: int,
    ) -> None:
        """``shapes`` are those of the images that come."""
        self.runtime = openvino_name()
        self.precision: TrunkPrecision = precision
        self._tile = shapes.tile[1:]
        self._tiles = TileGraph(model, self._tile, precision, threads)
        self._windows = Graph(model, precision, threads) if shapes.window else None

    def __call__(self, images: Tensor) -> Tensor:
        """As :meth:`geogaze.evidence.runtimes.trunk.Trunk.__call__`."""
        rows_first = images.permute(0, 2, 3, 1).contiguous()  # free where channels lie last
        of_a_tile = rows_first.shape[1:3] == self._tile
        graph = self._windows if self._windows and not of_a_tile else self._tiles
        return torch.from_numpy(graph(rows_first.numpy())[0])


def convert(
    trunk: nn.Module, shapes: Shapes, cache: Path | None, precision: Precision, threads: int
) -> OpenVinoTrunk:
    """A trunk of torch's, for OpenVINO.

    What is found in the cache is not trusted: whatever runs is first compared with torch.

    Args:
        trunk: on the CPU, float32, in evaluation mode.
        shapes: what it will be given.
        cache: folder where converted networks are kept; None: nowhere.
        precision: what it shall compute in.
        threads: that it computes by; 0: as many as there are cores to use.

    Raises:
        UnsupportedArchitecture: OpenVINO cannot run it, or gives other activations.
        DeviceAbsent: OpenVINO is not installed.
    """
    kept = cache / _key(trunk) if cache else None
    images = shapes.images()
    with torch.no_grad():
        wanted = [trunk(image) for image in images]

    def tried(model: openvino.Model) -> OpenVinoTrunk:
        exact = OpenVinoTrunk(model, shapes, "fp32", threads)
        _check(exact, trunk, images, wanted)
        return exact if precision == "fp32" else OpenVinoTrunk(model, shapes, precision, threads)

    if kept is not None and kept.is_dir():
        try:
            return tried(read_graph(kept / _GRAPH))
        except (RuntimeError, UnsupportedArchitecture) as error:
            log.warning("converted network made anew", kept=str(kept), error=str(error))
            shutil.rmtree(kept, ignore_errors=True)
    model = converted(trunk, images[0])
    try:
        ours = tried(model)
    except RuntimeError as error:  # what tracing took for constant does not fit other images
        raise UnsupportedArchitecture(
            f"OpenVINO cannot run this network ({error}). Set GEOGAZE_RUNTIME to auto or torch."
        ) from error
    if kept is not None:
        _keep(model, kept)
    return ours


def converted(trunk: nn.Module, images: Tensor) -> openvino.Model:
    """A network, or its trunk, as a graph; ``images`` are examples (B, bands, T, T).

    Raises:
        UnsupportedArchitecture: OpenVINO lacks an operation of it, or it cannot be traced.
    """
    from openvino._offline_transformations import apply_moc_transformations
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    log.debug("network is being converted", runtime=openvino_name())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what tracing thinks of itself
            traced = TorchScriptPythonDecoder(
                trunk, example_input=images.contiguous(), trace_kwargs=_UNCHECKED
            )
            # What openvino.convert_model() does, but that it tells Google of each conversion.
            frontend = FrontEndManager().load_by_framework("pytorch")
            model: openvino.Model = frontend.convert(frontend.load(traced))
            apply_moc_transformations(model, cf=False)  # what is kept compiles in half the time
            return model
    except Exception as error:  # of no common kind
        raise UnsupportedArchitecture(
            f"OpenVINO cannot run this network ({type(error).__name__}: {error}). Set "
            "GEOGAZE_RUNTIME to auto or torch."
        ) from error


def _check(
    ours: OpenVinoTrunk, trunk: nn.Module, images: list[Tensor], wanted: list[Tensor]
) -> None:
    """Compare with torch; where rounding grows in a network, both with twice as many digits.

    Raises:
        UnsupportedArchitecture: OpenVINO gives other activations.
    """
    for image, torchs in zip(images, wanted, strict=True):
        found = ours(image)
        off = _off(found, torchs)
        if not off <= _AGREEMENT and not _as_exact(found, torchs, trunk, image):  # also if NaN
            raise UnsupportedArchitecture(
                f"OpenVINO gives other activations than torch, {off:.2g} of the largest off for "
                f"images of {image.shape[2]} × {image.shape[3]} pixels. Set GEOGAZE_RUNTIME to "
                "auto or torch."
            )


def _off(found: Tensor, wanted: Tensor) -> float:
    """The largest difference, of the largest value."""
    if found.shape != wanted.shape:
        return float("inf")
    return float((found - wanted).abs().max() / wanted.abs().max().clamp_min(1e-30))


def _as_exact(found: Tensor, torchs: Tensor, trunk: nn.Module, image: Tensor) -> bool:
    """Whether activations are as near to those in float64 as torch's own, or twice as far."""
    with torch.no_grad():
        exact = copy.deepcopy(trunk).double()(image.double())
    return _off(found.double(), exact) <= 2 * _off(torchs.double(), exact)


def _key(trunk: nn.Module) -> str:
    """A name for the trunk's weights, their places in it, and what converts it."""
    digest = hashlib.sha256(f"{torch.__version__} {openvino_name()} {trunk}".encode())
    for name, value in trunk.state_dict().items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(value.numpy()).data)
    return digest.hexdigest()[:32]


def _keep(model: openvino.Model, folder: Path) -> None:
    """Put a graph into the cache, whole or not at all; others may do the same meanwhile."""
    import openvino

    draft: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
        openvino.save_model(model, draft / _GRAPH, compress_to_fp16=False)
        with suppress(OSError):  # somebody else was first
            draft.rename(folder)
    except (OSError, RuntimeError) as error:  # a cache is no condition
        log.warning("converted network not kept", folder=str(folder), error=str(error))
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)
