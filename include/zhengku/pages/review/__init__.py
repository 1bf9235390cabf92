"""The pages of the review, one module for each topic; `zhengku.pages.frame` shows how one is written.

Personal data is masked on every page. What writes files or takes minutes is only requested here; a worker does it.
"""
