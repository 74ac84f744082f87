"""Pure builders of Kubernetes objects: facts in, plain dicts out; no client, no clock, no text templates."""
