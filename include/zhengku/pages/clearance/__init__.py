"""The pages of the daily lists, one module for each topic; `zhengku.pages.frame` shows how one is written."""
