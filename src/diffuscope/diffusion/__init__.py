"""The mathematics: schedules, samplers, and noise that belongs to the slide (no images)."""
