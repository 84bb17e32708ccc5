"""Simulated oesophageal cancer: CT with tumour and nodes, tables, and a label by a written rule with noise."""

from diffuscope.simulation.oesophagus.cohort import (
    CohortPlan,
    OesophagusCohort,
    OesophagusPatient,
    simulate,
    simulated,
)
from diffuscope.simulation.oesophagus.rule import INTERACTIONS, RULE, Bayes, bayes
from diffuscope.simulation.oesophagus.tables import BLOOD, CLINICAL

__all__ = [
    "BLOOD",
    "CLINICAL",
    "INTERACTIONS",
    "RULE",
    "Bayes",
    "CohortPlan",
    "OesophagusCohort",
    "OesophagusPatient",
    "bayes",
    "simulate",
    "simulated",
]
