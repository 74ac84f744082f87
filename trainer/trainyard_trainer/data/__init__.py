"""From a source to arrays: reading, roles, split, identity. Knows neither MLflow nor the API's models."""
