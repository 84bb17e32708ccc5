"""StainDiffuser: virtual IHC from H&E by diffusion U-Nets that share one H&E encoder, and its variants."""
