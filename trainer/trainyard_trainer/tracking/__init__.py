"""Telling MLflow and the coordinator how it goes, without ever holding up the training."""
