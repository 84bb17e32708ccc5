"""Names of samplers, where they are read without torch."""

SAMPLERS = ("sde-dpmsolver++", "dpmsolver++", "unipc", "ddim", "ddpm")
SCORE_SAMPLERS = (
    "ancestral",
    "sde-dpmsolver++",
    "dpmsolver++",
    "probability-flow",
    "predictor-corrector",
    "euler-maruyama",
    "ddpm",
)
