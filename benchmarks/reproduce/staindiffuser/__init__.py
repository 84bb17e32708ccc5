"""The table of StainDiffuser: restained slides, and strips of restained tiles."""
