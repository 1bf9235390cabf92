"""A complete installation as local processes of this machine: PostgreSQL from a wheel, and Airflow."""
