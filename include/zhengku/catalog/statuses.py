"""The states of a certificate: ours, since the codes of the departments are dialects that contradict each other."""

CERTIFICATE_STATUSES: dict[str, str] = {
    "valid": "有效",
    "replaced": "已换发",
    "expired": "过期",
    "cancelled": "注销",
    "withdrawn": "撤销",
    "revoked": "吊销",
    "transferred_out": "转出",
}
"""Key in the store → Chinese name. Every feed maps its own codes to these keys (`codes` of its field `status`)."""
