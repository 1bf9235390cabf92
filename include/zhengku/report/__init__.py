"""Reports for people: pages about runs, workbooks, and tables of the command line."""
