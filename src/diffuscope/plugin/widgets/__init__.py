"""Widgets that know nothing of Diffuscope."""
