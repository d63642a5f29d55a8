"""What a method minimises or estimates, as pure functions: tensors and callables in, tensors out.

The names below may be imported from here. Two packages stand beside them: `objectives.divergences`, how far
apart two distributions are, and `objectives.estimators`, gradients of expectations.
"""

from __future__ import annotations

from pushforward.objectives.adversarial import (
    hinge_critic,
    hinge_generator,
    least_squares_critic,
    least_squares_generator,
    minimax_critic,
    minimax_generator,
    nonsaturating_generator,
    relativistic_critic,
    relativistic_generator,
    wasserstein_critic,
    wasserstein_generator,
)
from pushforward.objectives.annealing import Annealing, annealed_estimate, annealed_upper_bound
from pushforward.objectives.bounds import (
    LikelihoodEstimate,
    decoder_log_likelihood,
    importance_estimate,
    prior_estimate,
    summarize_weights,
)
from pushforward.objectives.constraints import ascend, capacity_penalty, free_bits, warm_up
from pushforward.objectives.elbo import (
    gaussian_kl,
    gaussian_log_prob,
    importance_weighted_bound,
    reparameterize,
)
from pushforward.objectives.flow_matching import conditional_path, flow_matching_loss
from pushforward.objectives.montecarlo import (
    Interval,
    Measurement,
    expectation,
    mean_interval,
    measure_estimator,
    variance_interval,
)
from pushforward.objectives.ode import integrate, transported_log_prob
from pushforward.objectives.penalties import clip_weights_, gradient_penalty, zero_centred_penalty
from pushforward.objectives.quantization import nearest_codes, perplexity, straight_through_copy

__all__ = [
    "Annealing",
    "Interval",
    "LikelihoodEstimate",
    "Measurement",
    "annealed_estimate",
    "annealed_upper_bound",
    "ascend",
    "capacity_penalty",
    "clip_weights_",
    "conditional_path",
    "decoder_log_likelihood",
    "expectation",
    "flow_matching_loss",
    "free_bits",
    "gaussian_kl",
    "gaussian_log_prob",
    "gradient_penalty",
    "hinge_critic",
    "hinge_generator",
    "importance_estimate",
    "importance_weighted_bound",
    "integrate",
    "least_squares_critic",
    "least_squares_generator",
    "mean_interval",
    "measure_estimator",
    "minimax_critic",
    "minimax_generator",
    "nearest_codes",
    "nonsaturating_generator",
    "perplexity",
    "prior_estimate",
    "relativistic_critic",
    "relativistic_generator",
    "reparameterize",
    "straight_through_copy",
    "summarize_weights",
    "transported_log_prob",
    "variance_interval",
    "warm_up",
    "wasserstein_critic",
    "wasserstein_generator",
    "zero_centred_penalty",
]
