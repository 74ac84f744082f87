"""Training and models on this machine: what the command line and the Python API share."""
