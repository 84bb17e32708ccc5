"""Who computes: tiles in batches, here or elsewhere, as events."""
