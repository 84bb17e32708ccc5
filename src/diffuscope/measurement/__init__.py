"""Numbers of a result without a truth: the pathologist's."""
