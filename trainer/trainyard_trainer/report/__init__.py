"""What a person reads after a training: charts with the numbers behind them, and one page with all of it.

Pure: `make_report` takes plain values and gives files back. Matplotlib is imported when the first report is
made, never before a training.
"""

from trainyard_trainer.report.findings import Findings, Fraction, Part
from trainyard_trainer.report.make import Report, make_report

__all__ = ["Findings", "Fraction", "Part", "Report", "make_report"]
