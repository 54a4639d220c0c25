"""The formulae by hand, their two forms against each other, and pytorch-grad-cam's maps."""

from __future__ import annotations

import pytest
import torch
from pytorch_grad_cam import GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

from geogaze.evidence.cams.cam import find_cam, weigh
from geogaze.evidence.routes import explain
from geogaze.models.methods import METHODS
from geogaze.models.targets import own
from geogaze.networks.captured import Captured
from geogaze.networks.split import Split

CAMS = {name: find_cam(name) for name, method in METHODS.items() if method.of_layer}

# Two channels of two positions each.
A = torch.tensor([[1.0, 3.0], [2.0, 0.0]]).double().reshape(1, 2, 1, 2)
G = torch.tensor([[4.0, -2.0], [1.0, 5.0]]).double().reshape(1, 1, 2, 1, 2)
BY_HAND = {
    # Weights 4 - 2 = 2 and 1 + 5 = 6.
    "gradcam": [2 * 1 + 6 * 2, 2 * 3],
    # N = 2 times G A, summed over channels.
    "hirescam": [2 * (4 * 1 + 1 * 2), 2 * (-2 * 3 + 5 * 0)],
    # The gradient -2 is left out.
    "layercam": [2 * (4 * 1 + 1 * 2), 0],
    # Weights 2 (4·1 - 2·3) / (1 + 3) = -1 and 2 (1·2 + 5·0) / 2 = 2.
    "xgradcam": [-1 * 1 + 2 * 2, -1 * 3],
    # α G: 4³ / (2·4² + 4³·4) = 2/9 and none for -2; 1 / (2 + 2) + 5³ / (2·5² + 5³·2) = 2/3.
    "gradcam++": [2 / 9 * 1 + 2 / 3 * 2, 2 / 9 * 3],
}


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def difference(a: Tensor, b: Tensor) -> float:
    """Largest difference, of the largest value of each map."""
    assert a.shape == b.shape
    peak = b.abs().amax(dim=(-2, -1), keepdim=True)
    assert peak.min() > 0
    return float(((a - b).abs() / peak).max())


def test_there_is_a_hand_made_example_of_every_method() -> None:
    assert set(BY_HAND) == set(CAMS)


@pytest.mark.parametrize("method", CAMS)
def test_maps_are_those_computed_by_hand(method: str) -> None:
    found = CAMS[method].positional(G, A)
    assert found.shape == (1, 1, 1, 2)
    expected = torch.tensor(BY_HAND[method], dtype=torch.float64)
    torch.testing.assert_close(found[0, 0, 0], expected, rtol=1e-12, atol=1e-12)


def test_weights_may_be_shared_by_the_batch() -> None:
    maps, shared = draw(3, 4, 2, 5), draw(6, 1, 4, seed=1)
    expected = torch.einsum("kc,bcij->bkij", shared[:, 0], maps)
    torch.testing.assert_close(weigh(shared, maps), expected)
    each = draw(6, 3, 4, seed=2)
    torch.testing.assert_close(weigh(each, maps), torch.einsum("kbc,bcij->bkij", each, maps))


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("method", CAMS)
def test_of_a_gradient_that_is_the_same_everywhere_both_forms_are_one(
    method: str, shared: bool
) -> None:
    maps = draw(3, 9, 2, 5).abs()
    slope = draw(6, 1 if shared else 3, 9, seed=1)
    everywhere = slope.expand(6, 3, 9)[..., None, None].expand(6, 3, 9, 2, 5)
    positional = CAMS[method].positional(everywhere, maps)
    pooled = CAMS[method].pooled(slope * 10, maps)
    assert pooled.shape == (3, 6, 2, 5)
    assert pooled.std() > 0.1
    torch.testing.assert_close(pooled, positional, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("method", CAMS)
def test_images_and_scores_do_not_mix(method: str) -> None:
    maps, gradients = draw(3, 4, 2, 5), draw(6, 3, 4, 2, 5, seed=1)
    whole = CAMS[method].positional(gradients, maps)
    for b in range(3):
        for k in range(6):
            one = CAMS[method].positional(gradients[k : k + 1, b : b + 1], maps[b : b + 1])
            assert difference(one[0, 0], whole[b, k]) < 1e-12


@pytest.mark.parametrize("method", CAMS)
def test_maps_of_activations_or_gradients_that_are_zero_are_zero(method: str) -> None:
    nothing = torch.zeros(1, 2, 1, 2).double()
    assert torch.equal(CAMS[method].positional(G, nothing), torch.zeros(1, 1, 1, 2).double())
    assert torch.equal(CAMS[method].positional(0 * G, A), torch.zeros(1, 1, 1, 2).double())
    assert torch.equal(CAMS[method].pooled(G[..., 0, 0], nothing), torch.zeros(1, 1, 1, 2).double())


def test_xgradcam_leaves_out_a_channel_whose_activations_sum_to_zero() -> None:
    maps = A.clone()
    maps[0, 0] = torch.tensor([[2.0, -2.0]])
    expected = torch.tensor([2.0 * 2, 0]).double()  # of the other channel alone
    torch.testing.assert_close(CAMS["xgradcam"].positional(G, maps)[0, 0, 0], expected)


def test_grid_size_does_not_scale_maps_in_logits() -> None:
    """Each activation four times, as on a finer grid, and the gradient shared among the four."""
    finer = A.repeat_interleave(2, 2).repeat_interleave(2, 3)
    share = (G / 4).repeat_interleave(2, 3).repeat_interleave(2, 4)
    for method in set(CAMS) - {"gradcam++"}:
        once, four = (CAMS[method].positional(g, a) for g, a in ((G, A), (share, finer)))
        torch.testing.assert_close(four[..., ::2, ::2], once)


PEERS = {
    "gradcam": GradCAM,
    "gradcam++": GradCAMPlusPlus,
    "hirescam": HiResCAM,
    "layercam": LayerCAM,
    "xgradcam": XGradCAM,
}


def theirs(peer: type, model: nn.Module, layer: nn.Module, images: Tensor, target: int) -> Tensor:
    """pytorch-grad-cam's map before it cuts off, scales and resizes it."""
    wanted = [ClassifierOutputTarget(target)] * len(images)
    with peer(model, [layer]) as cam:
        caught = cam.activations_and_grads
        sum(w(output) for w, output in zip(wanted, caught(images), strict=True)).backward()
        (maps,), (gradients,) = caught.activations, caught.gradients
        raw = cam.get_cam_image(images, layer, wanted, maps.numpy(), gradients.numpy(), False)
    return torch.from_numpy(raw)


@pytest.fixture(scope="module")
def model() -> nn.Sequential:
    """Gradients differ between positions and are of the size of 1,000, next to which
    pytorch-grad-cam's constants in denominators (1e-6, 1e-7) are nothing. Of ordinary networks
    gradients are of the size of 0.001, and its Grad-CAM++ is mostly constant."""
    torch.manual_seed(0)
    made = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 16, 5, stride=2), nn.ReLU(), nn.Conv2d(16, 8, 3), nn.Softplus()),
        nn.Sequential(nn.Conv2d(8, 6, 3), nn.Tanh(), nn.Flatten(), nn.Linear(6 * 4 * 4, 4)),
    ).double()
    made[1][3].weight.data *= 1e5
    return made


@pytest.mark.parametrize("method", CAMS)
def test_maps_are_those_of_pytorch_grad_cam(model: nn.Sequential, method: str) -> None:
    images = draw(2, 3, 19, 19, seed=3)
    scale = 1 if method == "gradcam++" else 6 * 6  # cells, by which ours are in logits
    for cut in (Split(model[0], model[1], ""), Captured(model, "0")):
        found = explain(cut, images, own(range(4)), method).evidence
        for k in range(4):
            expected = theirs(PEERS[method], model, model[0], images, k) * scale
            assert difference(found[:, k], expected) < 1e-5
    assert {len(module._forward_hooks) for module in model.modules()} == {0}
