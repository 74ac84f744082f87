"""The training loop and what it stands on: device, optimiser, checkpoints. No MLflow, no API models."""
