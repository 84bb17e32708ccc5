"""What QuPath writes: annotations as GeoJSON, and projects."""
