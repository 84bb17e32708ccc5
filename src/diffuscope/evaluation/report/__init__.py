"""From figures to a report that people read."""
