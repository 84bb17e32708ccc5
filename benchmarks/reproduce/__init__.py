"""The papers' tables at a size that two cores can bear: ``python -m benchmarks reproduce SYSTEM``."""
