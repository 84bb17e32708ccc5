"""DICOM: files and their headers, series of slices, pixels; and the outlines that were drawn on a series."""
