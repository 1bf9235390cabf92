"""Settings of the login page (Flask-AppBuilder); `AIRFLOW__FAB__CONFIG_FILE` names this file.

Passwords are stored in Airflow's own database. To use a directory of the city (LDAP, OAuth), configure it here:
https://flask-appbuilder.readthedocs.io/en/latest/security.html
"""

BABEL_DEFAULT_LOCALE = "zh"
LANGUAGES = {"zh": {"flag": "cn", "name": "简体中文"}}
