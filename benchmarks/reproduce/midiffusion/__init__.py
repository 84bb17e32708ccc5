"""The table of MIDiffusion: scans of patients, trained on the target alone."""
