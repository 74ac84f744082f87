"""The file that MLflow runs to load a model: it only hands over to `trainyard_model`, logged beside it."""
# mypy: ignore-errors

import mlflow
import pandas

from trainyard_model import Predictor


class TrainyardModel(mlflow.pyfunc.PythonModel):
    """Raw columns in, answers out."""

    def load_context(self, context):
        """Read the package once."""
        self.predictor = Predictor.load(context.artifacts["package"])

    def predict(self, context, model_input: pandas.DataFrame, params=None):
        """A data frame with `prediction`, and for classes one probability each."""
        return pandas.DataFrame(self.predictor.predict(model_input))


mlflow.models.set_model(TrainyardModel())
