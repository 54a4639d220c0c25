"""The methods by name: what each computes, who published it, and what checks say of it.

Described here without torch, so that the API can offer them; computed in
:mod:`geogaze.evidence.cams` and :mod:`geogaze.evidence.pixels`. A new one is one file there and
one line here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal


@dataclass(frozen=True)
class Method:
    """A way to attribute a score to places.

    ``per_pixel`` methods give a map at the model's input resolution, the others one value for each
    activation. ``signed`` ones tell evidence for from evidence against. ``note`` says when a
    method equals another, or what published sanity checks found. ``implementation`` refers to a
    :class:`geogaze.evidence.cams.cam.Cam`; per pixel, to a
    :class:`geogaze.evidence.pixels.method.PixelMethod`; ``of_attention``, of a transformer's
    attention in all blocks rather than of one layer's activations, to a
    :class:`geogaze.evidence.attention.method.AttentionMethod`.
    """

    name: str
    title: str
    source: str
    per_pixel: bool
    signed: bool
    implementation: str
    note: str = ""
    of_attention: bool = False

    @property
    def of_layer(self) -> bool:
        """Whether it is a class activation map: of the activations of one layer."""
        return not (self.per_pixel or self.of_attention)


_RELU = " Only for networks whose only nonlinearity is ReLU."
_GAP = "Where the network pools globally and ends in one linear layer, it equals Grad-CAM."

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            "gradcam",
            "Grad-CAM",
            "Selvaraju et al. 2017, arXiv:1610.02391",
            False,
            True,
            "geogaze.evidence.cams.gradcam:CAM",
        ),
        Method(
            "gradcam++",
            "Grad-CAM++",
            "Chattopadhay et al. 2018, arXiv:1710.11063",
            False,
            False,
            "geogaze.evidence.cams.gradcam_plus_plus:CAM",
            "Derived for activations that are not negative; its scale follows no unit.",
        ),
        Method(
            "hirescam",
            "HiResCAM",
            "Draelos and Carin 2020, arXiv:2011.08891",
            False,
            True,
            "geogaze.evidence.cams.hirescam:CAM",
            _GAP,
        ),
        Method(
            "layercam",
            "LayerCAM",
            "Jiang et al. 2021, doi:10.1109/TIP.2021.3089943",
            False,
            False,
            "geogaze.evidence.cams.layercam:CAM",
            "Where the network pools globally and ends in one linear layer, it is Grad-CAM without "
            "the channels of negative weight.",
        ),
        Method(
            "xgradcam",
            "XGrad-CAM",
            "Fu et al. 2020, arXiv:2008.02312",
            False,
            True,
            "geogaze.evidence.cams.xgradcam:CAM",
            _GAP,
        ),
        Method(
            "legrad",
            "LeGrad",
            "Bousselham et al. 2024, arXiv:2404.03214",
            False,
            False,
            "geogaze.evidence.attention.legrad:METHOD",
            "Only for transformers that classify by a class token. Shows to which tokens more "
            "attention would raise the score as each block would have it, not what makes it up; "
            "its scale follows no unit.",
            of_attention=True,
        ),
        Method(
            "saliency",
            "Saliency",
            "Simonyan, Vedaldi and Zisserman 2013, arXiv:1312.6034",
            True,
            False,
            "geogaze.evidence.pixels.saliency:METHOD",
            "Passes published sanity checks (it depends on the parameters of all layers; Adebayo "
            "et al. 2018, arXiv:1810.03292), but shows how sensitive the score is to small "
            "changes, not what makes it up.",
        ),
        Method(
            "deconvnet",
            "Deconvnet",
            "Zeiler and Fergus 2014, arXiv:1311.2901",
            True,
            False,
            "geogaze.evidence.pixels.deconvnet:METHOD",
            "Found to recover parts of the image rather than explain the decision (Nie et al. "
            "2018, arXiv:1805.07039) and not to depend on the parameters of later layers (Sixt et "
            "al. 2020, arXiv:1912.09818)." + _RELU,
        ),
        Method(
            "guided-backprop",
            "Guided backpropagation",
            "Springenberg et al. 2014, arXiv:1412.6806",
            True,
            False,
            "geogaze.evidence.pixels.guided_backprop:METHOD",
            "Fails published sanity checks: it hardly changes when higher layers are randomised "
            "(Adebayo et al. 2018, arXiv:1810.03292; Sixt et al. 2020, arXiv:1912.09818) and "
            "recovers parts of the image whatever the class (Nie et al. 2018, arXiv:1805.07039)."
            + _RELU,
        ),
        Method(
            "integrated-gradients",
            "Integrated gradients",
            "Sundararajan, Taly and Yan 2017, arXiv:1703.01365",
            True,
            True,
            "geogaze.evidence.pixels.integrated_gradients:METHOD",
            "Sums, up to the error of its 50 steps, to the score less that of an image of mean "
            "colour; multiplied by the input, its maps can resemble the image whatever the network "
            "has learnt (Adebayo et al. 2018, arXiv:1810.03292).",
        ),
        Method(
            "guided-gradcam",
            "Guided Grad-CAM",
            "Selvaraju et al. 2017, arXiv:1610.02391",
            True,
            False,
            "geogaze.evidence.pixels.guided_gradcam:METHOD",
            "Fails published sanity checks, as guided backpropagation does, whose detail it shows "
            "(Adebayo et al. 2018, arXiv:1810.03292): only the coarse Grad-CAM in it tells classes "
            "apart." + _RELU,
        ),
    )
}

if TYPE_CHECKING:
    MethodName = str
else:
    MethodName = Literal[tuple(METHODS)]
"""A method's name; the request model, OpenAPI and the command line read the choices off it."""
