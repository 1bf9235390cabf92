"""Settings of the login page (Flask-AppBuilder); `AIRFLOW__FAB__CONFIG_FILE` names this file.

Passwords are stored in Airflow's own database. To use a directory of the city (LDAP, OpenID Connect):
docs/logins.md.
"""

from zhengku_airflow.logins import LoginManager, require_strong_password

BABEL_DEFAULT_LOCALE = "zh"
LANGUAGES = {"zh": {"flag": "cn", "name": "简体中文"}}

SECURITY_MANAGER_CLASS = LoginManager
FAB_PASSWORD_COMPLEXITY_ENABLED = True
FAB_PASSWORD_COMPLEXITY_VALIDATOR = require_strong_password

# FAB's logout ends the session; Airflow's, next to it, removes the cookies and shows the login page.
LOGOUT_REDIRECT_URL = "../logout"
