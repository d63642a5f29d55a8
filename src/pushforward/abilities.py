"""What an algorithm can do once it is trained: one Protocol an ability.

An algorithm has an ability by having its methods; it inherits from nothing here. Commands, observers,
measures and the report ask `offers(algorithm, Samples)`, or `Model.can(Samples)`, and leave out what does not
fit. All tensors are float32 on the algorithm's device unless said otherwise. x is images (n, c, h, w) in
[-1, 1] or points (n, d); z is a code, (n, d).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from pushforward.core import Clock, Draw
from pushforward.streams import DATA

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from pushforward.distributions import Likelihood
    from pushforward.views import Look, ViewedCritic

T = TypeVar("T")


@dataclass(frozen=True)
class About:
    """An ability in words. verb: what a model that has it can do. lacks: what one without it has."""

    verb: str
    lacks: str
    members: tuple[str, ...]


ABILITIES: dict[type, About] = {}


def _ability(verb: str, *, lacks: str) -> Callable[[type[T]], type[T]]:
    def register(protocol: type[T]) -> type[T]:
        named = {*vars(protocol), *vars(protocol).get("__annotations__", {})}
        members = tuple(sorted(name for name in named if not name.startswith("_")))
        ABILITIES[protocol] = About(verb, lacks, members)
        return runtime_checkable(protocol)

    return register


@_ability("sample", lacks="no prior to sample from")
class Samples(Protocol):
    """Draws new data."""

    def sample(self, n: int) -> Float[Tensor, "n *x"]:
        """n images or points; from torch's random stream, without a graph."""
        ...


@_ability("encode", lacks="no encoder to vectors")
class Encodes(Protocol):
    """Maps data to codes that are vectors of real numbers. Other codes: see `Tokenizes`."""

    def encode(self, x: Float[Tensor, "n *x"]) -> Float[Tensor, "n d"]:
        """The code of each image or point."""
        ...


@_ability("decode", lacks="no decoder of vectors")
class Decodes(Protocol):
    """Maps codes to data."""

    def decode(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n *x"]:
        """The image or point of each code."""
        ...


@_ability("reconstruct", lacks="no encoder to reconstruct with")
class Reconstructs(Protocol):
    """Encodes and decodes, whatever its codes are."""

    def reconstruct(self, x: Float[Tensor, "n *x"]) -> Float[Tensor, "n *x"]:
        """Each image or point as its code remembers it."""
        ...


@_ability("tokenize", lacks="no discrete codes")
class Tokenizes(Protocol):
    """Maps data to arrays of indices into a codebook, and back.

    vocabulary: entries of the codebook; indices are below it.
    """

    vocabulary: int

    def tokens(self, x: Float[Tensor, "n *x"]) -> Int64[Tensor, "n *t"]:
        """The indices of each image or point."""
        ...

    def decode_tokens(self, tokens: Int64[Tensor, "n *t"]) -> Float[Tensor, "n *x"]:
        """The image or point of each array of indices."""
        ...


@_ability("translate", lacks="no second domain to translate to")
class Translates(Protocol):
    """Maps images of one domain to another.

    smallest_side: pixels of the least side of images that it takes, of any size from there on; 0 where it
    takes images of the size that it learned alone. into: the domains that it translates to.
    """

    smallest_side: int
    into: tuple[str, ...]

    def translate(self, x: Float[Tensor, "n *x"], to: str) -> Float[Tensor, "n *y"]:
        """x as images of the domain `to`."""
        ...


@_ability("log_prob", lacks="no density or bound")
class HasLogProb(Protocol):
    """Knows ln p(x), or a lower bound of it."""

    def log_prob(self, x: Float[Tensor, "n *x"]) -> Float[Tensor, " n"]:
        """Nats an image or point."""
        ...


@_ability("draw codes", lacks="no prior of codes")
class HasPrior(Protocol):
    """Draws codes that its decoder takes."""

    def sample_prior(self, n: int) -> Float[Tensor, "n d"]:
        """z ~ p(z)."""
        ...


@_ability("score by a likelihood", lacks="no likelihood")
class HasLikelihood(Protocol):
    """Has p(x|z): a likelihood of what its decoder makes of z.

    The likelihood prepares data (binarization, levels) for the methods that say so.
    """

    likelihood: Likelihood
    decoder: Callable[[Tensor], Tensor]


@_ability("bound ln p(x)", lacks="no bound on ln p(x)")
class HasBound(HasLikelihood, HasPrior, Protocol):
    """A latent-variable model whose importance weights average to p(x)."""

    def log_weights(self, x: Float[Tensor, "n *x"], k: int) -> Float[Tensor, "k n"]:
        """ln p(x, z_i) - ln q(z_i|x) in nats for k draws, of x as `likelihood.prepare` gives it."""
        ...


@_ability("bound ln p(x) of a class", lacks="no bound on ln p(x) of a class")
class HasBoundByClass(Protocol):
    """Has a bound where it is told the class of each x."""

    def given(self, label: Int64[Tensor, " n"]) -> HasBound:
        """The model of n x of these classes."""
        ...


@_ability("infer codes", lacks="no distribution of codes")
class HasPosterior(HasLikelihood, Protocol):
    """Has a distribution q(z|x) and a prior p(z)."""

    def divergence(self, x: Float[Tensor, "n *x"]) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
        """The mean of q(z|x), and KL(q(z|x) ‖ p(z)) in nats per dimension, of prepared x."""
        ...

    def sample_posterior(self, x: Float[Tensor, "n *x"]) -> Float[Tensor, "n d"]:
        """z ~ q(z|x) for each x as stored."""
        ...


@_ability("infer Gaussian codes", lacks="no Gaussian codes")
class HasGaussianPosterior(HasPosterior, Protocol):
    """q(z|x) = N(μ, σ²), dimensions independent."""

    def posterior(self, x: Float[Tensor, "n *x"]) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
        """μ and ln σ², of prepared x."""
        ...


@_ability("tell the prior's moments", lacks="a standard normal prior")
class HasPriorMoments(Protocol):
    """Has a prior that is not N(0, 1)."""

    def prior_moments(self) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]]:
        """Mean and standard deviation of each dimension."""
        ...


@_ability("score its reconstructions", lacks="no distortion")
class HasDistortion(Protocol):
    """An autoencoder without a prior: what it has in place of a bound."""

    def distortion(self, x: Float[Tensor, "n *x"]) -> Float[Tensor, " n"]:
        """-ln p(x|f(x)) in nats, of x as stored."""
        ...


@_ability("play games", lacks="no generator and critic")
class Adversarial(Protocol):
    """Trains by games between a generator and a critic, which diagnosis looks at."""

    def games(self) -> Mapping[str, Game]:
        """The games by name; a single one is called "game"."""
        ...


GAME = "game"  # the name of the only one


@dataclass(frozen=True, kw_only=True)
class SlopePenalty:
    """A penalty that draws the critic's slope towards 1. one_sided: only from above."""

    weight: float
    one_sided: bool = False


@dataclass(frozen=True, kw_only=True)
class Game:
    """A generator against a critic, with all that one who looks on has to know of the method.

    inputs: n inputs of the generator, given a draw of the data: noise, or data of another stream. generate:
    inputs -> samples, in float32. player: which one moves the generator. stream: the data that the critic is
    to take for real.

    real_is_high: whether its scores of real data are to be the higher ones. threshold: the score above which
    it takes a sample for what is to be high, by its loss; None where scores have no zero. sigmoid: whether
    the loss is of a sigmoid of the score, which can be flat. slope: the penalty on its slope, if any.

    A critic of pairs: infer gives the code of each real x, by its label if known; a sample's is its input.
    """

    generator: nn.Module
    critic: ViewedCritic
    inputs: Callable[[Draw, int], Float[Tensor, "n *z"]]
    generate: Callable[[Float[Tensor, "n *z"]], Float[Tensor, "n *x"]]
    player: str = "generator"
    stream: str = DATA
    real_is_high: bool = True
    threshold: float | None = None
    sigmoid: bool = False
    slope: SlopePenalty | None = None
    infer: Callable[[Tensor, Tensor | None], Float[Tensor, "n *z"]] | None = None

    def look(self, real: Tensor, fake: Tensor, z: Tensor, clock: Clock, label: Tensor | None = None) -> Look:
        """The critic's first look at both, as in training: noisy, packed. z: the inputs that fake came from.

        label: the class of each real one, where known. Both have a number of rows that `critic.at_once`
        divides. What is to be scored high comes first.
        """
        codes = None if self.infer is None else (self.infer(real, label), z)
        if self.real_is_high:
            return self.critic(real, fake, clock, codes=codes)[0]
        return self.critic(fake, real, clock, codes=codes and codes[::-1])[0]

    def realness_in(self, look: Look) -> tuple[Tensor, Tensor]:
        """How real each real and each generated one is in this look: higher is more real."""
        high, low = (s.flatten(1).mean(1, keepdim=True) for s in look.pair())
        return (high, low) if self.real_is_high else (-low, -high)

    def realness(
        self,
        x: Float[Tensor, "n *x"],
        z: Float[Tensor, "n *z"] | None = None,
        *,
        beside: Float[Tensor, "m *x"] | None = None,
    ) -> Float[Tensor, " n"]:
        """How real the critic finds each x by itself, without views: higher is more real.

        z: the codes that go with x, of a critic of pairs; those that `infer` gives by default. beside: real
        data to show with each x to a critic that sees several at once, at least one less than it sees.
        """
        codes = [] if self.infer is None else [[self.infer(x, None) if z is None else z]]
        x = self.critic.standardised(x)
        if self.critic.at_once > 1:
            assert beside is not None, "a critic of several at once needs company for each"
            company = self.critic.standardised(beside)[: self.critic.at_once - 1].flatten(0, 1)
            x = torch.cat([x, company.expand(len(x), *company.shape)], 1)
        (scores,) = self.critic.score([self.critic.first], [x], *codes)
        return (scores if self.real_is_high else -scores).flatten(1).mean(1).float()


@_ability("prepare data", lacks="no preparation of data")
class PreparesData(Protocol):
    """A recipe whose method wants its data changed once, before training and before any look."""

    def prepare_data(self, data: Any) -> Any:
        """The data set as the method takes it."""
        ...


def offers(thing: object, ability: type[T]) -> TypeIs[T]:
    """Whether it has every member of the Protocol, submodules included."""
    members = (m for base in ability.__mro__ if base in ABILITIES for m in ABILITIES[base].members)
    return all(getattr(thing, member, None) is not None for member in members)
