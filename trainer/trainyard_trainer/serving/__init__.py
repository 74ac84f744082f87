"""Serve a package over HTTP: the same files and the same predict path that the test rows were scored with."""
