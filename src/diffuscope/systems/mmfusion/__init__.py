"""MMFusion: a score of a case from what is known of it (see `diffuscope.systems.mmfusion.system`)."""
