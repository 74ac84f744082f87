"""From a trained network to a package folder, and from the folder to a model in MLflow."""
