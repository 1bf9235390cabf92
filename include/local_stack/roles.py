"""The roles of the daily clearance: `python -m local_stack.roles` writes them for `airflow roles import`.

A role that exists already is left as it is.
"""

import json

from zhengku.catalog import load_catalog
from zhengku.clearance.roles import SECTION, hall_role
from zhengku.settings import Settings

# What a login needs of Airflow to be led to the page, and to choose a password of its own. Whoever shall see DAGs too
# is given one of Airflow's roles beside.
_PERMISSIONS = {
    "Website": ("can_read",),
    "Plugins": ("can_read",),
    "My Profile": ("can_read", "can_edit"),
    "My Password": ("can_read", "can_edit"),
}


def clearance_roles() -> list[str]:
    """Return the names of the roles: the section's, and one for the halls of each district."""
    return [SECTION, *(hall_role(district) for district in load_catalog(Settings.load().catalog_folder).districts)]


def main() -> None:
    """Write the roles to standard output, an entry for each permission, as `airflow roles import` reads them."""
    entries = [
        {"name": role, "resource": resource, "action": ",".join(actions)}
        for role in clearance_roles()
        for resource, actions in _PERMISSIONS.items()
    ]
    print(json.dumps(entries))


if __name__ == "__main__":
    main()
