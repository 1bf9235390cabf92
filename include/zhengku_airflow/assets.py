"""The assets by which the DAGs of the departments start other DAGs."""

from airflow.sdk import Asset


def loaded_asset(subject: str) -> Asset:
    """Return the asset of a license type, or of another data set, in the store; each load of its rows updates it."""
    return Asset(name=f"store.{subject}", uri=f"zhengku://store/{subject}")
