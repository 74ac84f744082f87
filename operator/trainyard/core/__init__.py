"""What to do, decided without doing anything: no I/O, no clock, no randomness.

`decide(job, observed, now)` turns what was seen into a Plan; the controller sees and acts. That split is why
every state of a job can be a golden file and why a decision can be printed before it is taken.
"""
