"""What zhengku needs of Airflow: DAGs, notices, the host of its pages, pools, roles and health checks.

`dags/` and `plugins/` only name what Airflow must find. Every Airflow process imports `plugins/`: therefore the modules
of this package that it imports load FastAPI, templates and the store's modules only where they use them.
"""
