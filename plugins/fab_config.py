"""Settings of the login page (Flask-AppBuilder); `AIRFLOW__FAB__CONFIG_FILE` names this file.

Passwords are kept in Airflow's own database. A directory of the city's (LDAP, OAuth) is set up here instead:
https://flask-appbuilder.readthedocs.io/en/latest/security.html
"""

BABEL_DEFAULT_LOCALE = "zh"
LANGUAGES = {"zh": {"flag": "cn", "name": "简体中文"}}
