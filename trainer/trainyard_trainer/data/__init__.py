"""From a source to arrays: reading, roles, split, identity. Knows nothing of MLflow or of the API's models."""
