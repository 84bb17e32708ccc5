"""The real verbs in a compute process that knows every system that docks are tried with."""

import drawn_reports
import scorer
import toys

from diffuscope.plugin.jobs.verbs import *  # noqa: F403
from diffuscope.plugin.jobs.verbs import export, run  # noqa: F401
from diffuscope.simulation.restaining import example
from diffuscope.systems.registry import register_system

# Pairs to try a dock with: fewer, and as they are, since what is painted takes seconds.
example.PAIRS, example.APART = 6, 2
example.other_laboratory = lambda he: (he, he)

for _name, _row in {**toys.ROWS, **drawn_reports.ROWS, "scorer": scorer.ROW}.items():
    register_system(_name, _row)
