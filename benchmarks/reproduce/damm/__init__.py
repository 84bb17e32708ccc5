"""The tables of DAMM-Diffusion: simulated tumours, and MR of heads."""
