"""Reconciliation (比对): compares a department's system with the store, to prove that nothing is missing."""

from zhengku.operations.reconcile.checksum import checksum as checksum
from zhengku.operations.reconcile.comparison import Reconciliation as Reconciliation
from zhengku.operations.reconcile.comparison import Result as Result
