"""A run before its first pixel: inputs, extent, settings, where it computes. Decides and refuses, writes nothing."""
