"""The roles of our pages and of operators: `python -m zhengku_airflow.roles` writes them for `airflow roles import`.

The import does not change existing roles. What Airflow's own roles may do besides is in docs/decisions/0057.
"""

import json

from zhengku.catalog import load_catalog
from zhengku.pages.access import DATA_SECTION, OPERATOR, SECTION, hall_role
from zhengku.settings import Settings

# What a login needs in Airflow to open the pages and to change its password. A person who shall see DAGs gets Airflow's
# Viewer in addition, a person who runs them the role of operators.
_PERMISSIONS = {
    "Website": ("can_read",),
    "Plugins": ("can_read",),
    "My Profile": ("can_read", "can_edit"),
    "My Password": ("can_read", "can_edit"),
}

# The big-data section answers Airflow's questions about held batches; the DAG `held_batches` grants it access to them.
_ANSWERING = {
    "HITL Detail": ("can_read", "can_edit", "menu_access"),
    "DAG Runs": ("can_read",),
    "Task Instances": ("can_read",),
}

# In place of Airflow's Op, which may also write XComs, connections and variables.
# See every DAG; start, stop, clear and mark its runs and tasks; backfill. No answer to a question, no deletion, no
# writing of what tasks pass on or of how Airflow is set up.
_OPERATING = {
    "DAGs": ("can_read", "can_edit", "menu_access"),
    "DAG Runs": ("can_read", "can_create", "can_edit", "menu_access"),
    "Task Instances": ("can_read", "can_create", "can_edit", "menu_access"),
    "Backfills": ("can_read", "can_create", "can_edit"),
    "DAG Dependencies": ("can_read", "menu_access"),
    "Assets": ("can_read", "menu_access"),
    "Jobs": ("can_read", "menu_access"),
    "Cluster Activity": ("can_read", "menu_access"),
    "Browse": ("menu_access",),
    **dict.fromkeys(
        (
            "DAG Code",
            "DAG Versions",
            "DAG Warnings",
            "Task Logs",
            "XComs",
            "HITL Detail",
            "ImportError",
            "Pools",
            "Asset Aliases",
        ),
        ("can_read",),
    ),
}


def role_permissions() -> dict[str, dict[str, tuple[str, ...]]]:
    """Return role → resource of Airflow → actions, for sections, operators and the halls of each district."""
    districts = load_catalog(Settings.load().catalog_folder).districts
    roles = dict.fromkeys((SECTION, *(hall_role(district) for district in districts)), _PERMISSIONS)
    return {**roles, DATA_SECTION: {**_PERMISSIONS, **_ANSWERING}, OPERATOR: {**_PERMISSIONS, **_OPERATING}}


def main() -> None:
    """Write the roles to standard output, one entry per permission, in the form that `airflow roles import` reads."""
    entries = [
        {"name": role, "resource": resource, "action": ",".join(actions)}
        for role, permissions in role_permissions().items()
        for resource, actions in permissions.items()
    ]
    print(json.dumps(entries))


if __name__ == "__main__":
    main()
