"""The report of a run: one HTML file that needs nothing else."""

from vernier.evaluation.report.build import write_report as write_report
