"""The text of MedM2G: tokens, an autoencoder with one latent vector, its denoiser, and the prompt encoder C_T."""
