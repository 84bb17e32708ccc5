"""The real verbs in a compute process that knows the scorer."""

from scorer import ROW

from diffuscope.plugin.jobs.verbs import *  # noqa: F403
from diffuscope.plugin.jobs.verbs import export, run  # noqa: F401
from diffuscope.systems.registry import register_system

register_system("scorer", ROW)
