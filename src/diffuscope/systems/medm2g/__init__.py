"""MedM2G: any of text, CT, MRI and X-ray from any of them, by cross-guided latent diffusion (Zhan et al. 2024)."""
