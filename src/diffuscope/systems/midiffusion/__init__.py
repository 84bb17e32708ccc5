"""MIDiffusion: a scan of one modality from another, trained on the target alone, guided by local mutual information."""
