"""Cases of the rules of Study; see rulecases.py."""

from __future__ import annotations

from tests.support.rulecase import DELETE, RuleCase

ST = "Study"
_P0 = "spec.search.parameters[0]"
_P1 = "spec.search.parameters[1]"

STUDY_CASES = [
    # search
    RuleCase(
        ST,
        {"spec.search.preset": "Auto"},
        "spec.search",
        "exactly one of parameters",
        {"spec.search.preset": "Auto", "spec.search.parameters": DELETE},
    ),
    RuleCase(
        ST,
        {"spec.search.sampler.name": "grid"},
        "spec.search.parameters",
        "each float with a step",
        {"spec.search.sampler.name": "grid", f"{_P1}.float": {"min": 0.1, "max": 0.5, "step": 0.1}},
    ),
    RuleCase(
        ST,
        {f"{_P0}.int": {"min": 1, "max": 2}},
        _P0,
        "exactly one of float",
        {f"{_P0}.int": {"min": 1, "max": 2}, f"{_P0}.categorical": DELETE},
    ),
    RuleCase(
        ST,
        {f"{_P0}.categorical": {}},
        f"{_P0}.categorical",
        "exactly one of strings",
        {f"{_P0}.categorical": {"booleans": [True, False]}},
    ),
    RuleCase(
        ST,
        {f"{_P1}.float": {"min": 2, "max": 1}},
        f"{_P1}.float",
        "must not be above max",
        {f"{_P1}.float": {"min": 1, "max": 1}},
    ),
    RuleCase(
        ST,
        {f"{_P1}.float": {"min": 0, "max": 1, "log": True}},
        f"{_P1}.float.min",
        "log needs min above 0",
        {f"{_P1}.float": {"min": 0.001, "max": 1, "log": True}},
    ),
    RuleCase(
        ST,
        {f"{_P1}.float": {"min": 0.1, "max": 1, "log": True, "step": 0.1}},
        f"{_P1}.float",
        "exclude each other",
        {f"{_P1}.float": {"min": 0.1, "max": 1, "step": 0.1}},
    ),
    RuleCase(
        ST,
        {"spec.search.parameters[2].int": {"min": 2, "max": 1}},
        "spec.search.parameters[2].int",
        "must not be above max",
        {"spec.search.parameters[2].int": {"min": 1, "max": 1}},
    ),
    RuleCase(
        ST,
        {"spec.search.parameters[2].int": {"min": 0, "max": 8, "log": True}},
        "spec.search.parameters[2].int.min",
        "at least 1",
        {"spec.search.parameters[2].int": {"min": 1, "max": 8, "log": True}},
    ),
    RuleCase(
        ST,
        {"spec.search.parameters[2].int": {"min": 1, "max": 8, "log": True, "step": 2}},
        "spec.search.parameters[2].int",
        "exclude each other",
        {"spec.search.parameters[2].int": {"min": 1, "max": 8, "step": 2}},
    ),
    RuleCase(
        ST,
        {"spec.search.parameters[4].when": {"path": "a"}},
        "spec.search.parameters[4].when",
        "at least one of min, max",
        {"spec.search.parameters[4].when": {"path": "a", "strings": ["x"]}},
    ),
    RuleCase(
        ST,
        {"spec.search.warmStart": {"points": [{"parameters": [{"path": "a", "number": 1, "string": "x"}]}]}},
        "spec.search.warmStart.points[0].parameters[0]",
        "exactly one of number",
        {"spec.search.warmStart": {"points": [{"parameters": [{"path": "a", "number": 1}]}]}},
    ),
    RuleCase(
        ST,
        {"spec.search.pruner": {"name": "percentile"}},
        "spec.search.pruner.percentile",
        "needs percentile",
        {"spec.search.pruner": {"name": "percentile", "percentile": 25}},
    ),
    RuleCase(
        ST,
        {"spec.search.pruner": {"name": "patient"}},
        "spec.search.pruner.patience",
        "needs patience",
        {"spec.search.pruner": {"name": "patient", "patience": 3}},
    ),
    RuleCase(
        ST,
        {"spec.search.pruner": {"name": "threshold"}},
        "spec.search.pruner",
        "needs lower or upper",
        {"spec.search.pruner": {"name": "threshold", "upper": 3}},
    ),
    # studies
    RuleCase(
        ST,
        {"spec.objectives[0].metric": "test_accuracy"},
        "spec.objectives[0].metric",
        "trials never see test rows",
        {"spec.objectives[0].metric": "val_f1"},
    ),
    RuleCase(
        ST,
        {"spec.objectives[1]": {"metric": "val_f1", "goal": "Maximize"}, "spec.budget": {"maxTrials": 5}},
        "spec.search.pruner",
        "one objective only",
        {
            "spec.objectives[1]": {"metric": "val_f1", "goal": "Maximize"},
            "spec.budget": {"maxTrials": 5},
            "spec.search.pruner": {"name": "none"},
        },
    ),
    RuleCase(
        ST,
        {"spec.objectives[1]": {"metric": "val_f1", "goal": "Maximize"}, "spec.search.pruner": DELETE},
        "spec.budget",
        "one objective only",
        {
            "spec.objectives[1]": {"metric": "val_f1", "goal": "Maximize"},
            "spec.search.pruner": DELETE,
            "spec.budget": {"maxTrials": 5},
        },
    ),
    RuleCase(
        ST,
        {
            "spec.objectives[1]": {"metric": "val_f1", "goal": "Maximize"},
            "spec.search.pruner": DELETE,
            "spec.budget": {"maxTrials": 5},
            "spec.search.sampler.name": "cmaes",
        },
        "spec.search.sampler",
        "cmaes works with one objective only",
        {"spec.search.sampler.name": "cmaes"},
    ),
    RuleCase(
        ST,
        {"spec.budget.maxTrials": 10001},
        "spec.budget.maxTrials",
        "needs search.sampler random",
        {"spec.budget.maxTrials": 10001, "spec.search.sampler.name": "random"},
    ),
    RuleCase(
        ST,
        {"spec.template.spec.compute": {"nodes": 2}},
        "spec.template.spec.compute",
        "needs workers.isolation: Job",
        {"spec.template.spec.compute": {"nodes": 2}, "spec.workers.isolation": "Job"},
    ),
    RuleCase(
        ST,
        {"spec.template.spec.data": DELETE},
        "spec.template.spec.data",
        "data.source is needed",
        {"spec.template.spec.data": {"source": {"uri": "sample://digits"}}},
    ),
]
