"""DICOM whole-slide images: many small frames in few large files."""
