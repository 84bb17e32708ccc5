"""The card of a model that was made for a test."""

CARD = {
    "title": "Untrained",
    "what_it_is": "Random weights for tests.",
    "what_it_is_not": "A stain.",
    "data": "none",
    "licence": "CC0-1.0",
    "trained_on": "nothing",
    "simulated": True,
    "figures": {},
}
