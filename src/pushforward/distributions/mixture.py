"""A Gaussian mixture fitted to points: a distribution for codes that were given none."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, from_numpy
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from pushforward.errors import UserError


def fit_gaussian_mixture(z: Float[Tensor, "n d"], *, components: int, seed: int = 0) -> MixtureSameFamily:
    """The mixture of `components` Gaussians with full covariances that EM finds from a k-means start.

    1e-6 is added to each variance, so that points in a plane have a density. Draws and log_prob are in
    double, on the CPU. Raises UserError for fewer than two points a component.
    """
    from sklearn.mixture import GaussianMixture

    if components < 1 or len(z) < 2 * components:
        raise UserError(
            f"components: {components}; expected from 1 to {len(z) // 2}, half of the {len(z)} points to fit"
        )
    fitted = GaussianMixture(components, max_iter=300, random_state=seed).fit(z.double().cpu().numpy())
    normals = MultivariateNormal(from_numpy(fitted.means_), from_numpy(fitted.covariances_))
    return MixtureSameFamily(Categorical(from_numpy(fitted.weights_)), normals)
