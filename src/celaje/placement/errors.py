"""Placement's domain errors. `details["code"]` is the code that its error bodies carry.

Words and codes as in the Placement API reference, section "Errors".
"""

from celaje.common import errors

CONCURRENT_UPDATE = "placement.concurrent_update"
INVENTORY_IN_USE = "placement.inventory.inuse"
DUPLICATE_NAME = "placement.duplicate_name"
PROVIDER_IN_USE = "placement.resource_provider.inuse"
PROVIDER_IS_PARENT = "placement.resource_provider.cannot_delete_parent"
PROVIDER_NOT_FOUND = "placement.resource_provider.not_found"
DUPLICATE_KEY = "placement.query.duplicate_key"
BAD_VALUE = "placement.query.bad_value"
MISSING_VALUE = "placement.query.missing_value"


class ProviderNotFound(errors.NotFound):
    text = "No resource provider with uuid {uuid} found"


class ProviderExists(errors.Conflict):
    text = "Conflicting resource provider {duplicate} already exists."


class GenerationConflict(errors.Conflict):
    """Somebody changed the provider since the caller read it."""

    text = "resource provider generation conflict"


class ConsumerGenerationConflict(errors.Conflict):
    text = "consumer generation conflict - expected {expected} but got {got}"


class UnknownClass(errors.Invalid):
    text = "No such resource class {name}."


class UnknownTraits(errors.Invalid):
    text = "No such trait(s): {names}."


class InventoryInUse(errors.Conflict):
    text = "update conflict: Inventory for '{classes}' on resource provider '{provider}' in use."


class AllocationRefused(errors.Conflict):
    """Base of the reasons for which a claim does not fit; the caller tries another provider."""


class NoInventory(AllocationRefused):
    text = (
        "Unable to allocate inventory: Inventory for '{resource_class}' on resource provider "
        "'{provider}' invalid."
    )


class CapacityExceeded(AllocationRefused):
    text = (
        "Unable to allocate inventory: Unable to create allocation for '{resource_class}' on resource "
        "provider '{provider}'. The requested amount would exceed the capacity."
    )


class ConstraintsViolated(AllocationRefused):
    text = (
        "Unable to allocate inventory: Unable to create allocation for '{resource_class}' on resource "
        "provider '{provider}'. The requested amount would violate inventory constraints."
    )
