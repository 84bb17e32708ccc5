"""What systems take and give, as files and viewers must know it. No torch here: napari imports this.

Ports have a kind: images are a `Raster`, labels on one a `Mask`; besides there are `Table`, `Text` and `Score`. A
`Declaration` is all that a system says of itself before it is built.
"""
