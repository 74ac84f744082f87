"""Measurements; nothing here is a test, and nothing here may fail for being slow."""
