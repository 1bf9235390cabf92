"""What zhengku needs of Airflow: DAGs, notices, the host of its pages, pools, roles and health checks.

`dags/` and `plugins/` only name what Airflow must find. Every Airflow process imports `plugins/`, so what these import
of this package imports the heavy parts where they are used.
"""
