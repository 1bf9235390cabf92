"""The pages for halls and section, an application of FastAPI; plugins/clearance_pages.py shows it inside Airflow."""
