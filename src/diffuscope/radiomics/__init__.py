"""Radiomics: numbers of a region of a CT, as the Image Biomarker Standardisation Initiative defines them (no torch)."""
