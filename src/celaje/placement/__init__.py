"""Placement (OpenStack's Placement): the ledger of what there is and who has it. REST only."""
