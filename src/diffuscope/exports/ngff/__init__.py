"""OME-Zarr 0.5: images in shards, and what was found in them as labels."""
