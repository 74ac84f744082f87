"""Trainyard: a Kubernetes-native training operator, its coordinator, its command line and its Python API."""

__version__ = "0.1.0"
