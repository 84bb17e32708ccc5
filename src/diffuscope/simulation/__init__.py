"""Simulators with a known truth (no torch, no Qt)."""
