"""The real verbs in a compute process that knows every system that docks are tried with."""

import drawn_reports
import scorer
import toys

from diffuscope.plugin.jobs.verbs import *  # noqa: F403
from diffuscope.plugin.jobs.verbs import export, run  # noqa: F401
from diffuscope.systems.registry import register_system

for _name, _row in {**toys.ROWS, **drawn_reports.ROWS, "scorer": scorer.ROW}.items():
    register_system(_name, _row)
