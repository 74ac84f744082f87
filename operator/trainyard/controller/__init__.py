"""The shell around `trainyard.core`: watches, a queue, one reconcile that looks, asks and acts; all I/O."""
