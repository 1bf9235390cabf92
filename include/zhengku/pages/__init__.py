"""The pages for halls and section, an application of FastAPI; zhengku_airflow.pages_host shows it inside Airflow."""
