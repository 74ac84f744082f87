"""The operator under faults: every write and every watch event of a scenario, one fault at a time."""
