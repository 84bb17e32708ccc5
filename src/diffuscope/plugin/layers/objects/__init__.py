"""What of a stain was counted, and where to look next."""
