"""Reports: what a run fetched, loaded and quarantined, for people."""

from zhengku.report.run_report import RunReport, build_report, write_report

__all__ = ["RunReport", "build_report", "write_report"]
