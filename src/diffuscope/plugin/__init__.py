"""The napari face of Diffuscope: readers, sample data, docks, jobs.

The only room that imports Qt or napari. Nothing here imports torch: what computes runs in a child
process (`diffuscope.plugin.jobs.process`), so that the window never waits for it.
"""
