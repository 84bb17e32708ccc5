"""Files that are on disk, whole, where they may be."""
