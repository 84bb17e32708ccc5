"""From an empty napari to an exported result in each dock, with mouse and keyboard, for tests and for pictures."""
