"""The real verbs in a compute process that knows the system that makes anything of anything."""

from drawn_reports import ROWS

from diffuscope.plugin.jobs.verbs import *  # noqa: F403
from diffuscope.plugin.jobs.verbs import export, run  # noqa: F401
from diffuscope.systems.registry import register_system

for _name, _row in ROWS.items():
    register_system(_name, _row)
