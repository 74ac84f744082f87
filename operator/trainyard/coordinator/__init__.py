"""The coordinator: the one process that trainer pods speak to.

Pods prove who they are with a projected ServiceAccount token; the coordinator maps them to the custom
resource that owns them and acts for that one only. Today they report progress; Studies add `next`, `report`
and `complete` beside it.
"""
