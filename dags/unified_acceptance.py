from zhengku_airflow.department_dag import department_dag

dag = department_dag("unified_acceptance")
