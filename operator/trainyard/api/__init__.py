"""The contracts of Trainyard: the three custom resources and the messages between its processes.

Pure and light on purpose (pydantic and the standard library): the operator, the coordinator, the command line
and the trainer's outermost file all import it, and none of them may pay for the others' dependencies.
"""
