"""Plan, engine, blending, canvas: how a system runs over a whole slide or volume.

No module is imported here: `events` and `result` stay free of torch.
"""
