"""Volumes that lie in files of their own: NIfTI, NRRD and MetaImage, whose headers are looked at before any voxel."""
