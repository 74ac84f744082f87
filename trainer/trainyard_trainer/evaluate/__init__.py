"""How good a model is: metrics in plain numpy, so that nothing heavy is imported before the first step."""
