"""The compute conductor: its endpoint, and one file a flow."""

from celaje.compute.conductor.attach_interface import attach_interface, detach_interface
from celaje.compute.conductor.attach_volume import attach_volume
from celaje.compute.conductor.copy_volume import copy_volume
from celaje.compute.conductor.create_server import create_server
from celaje.compute.conductor.delete_server import delete_server
from celaje.compute.conductor.detach_volume import detach_volume
from celaje.compute.conductor.extend_volume import extend_volume
from celaje.compute.conductor.power import POWER_FLOWS
from celaje.compute.conductor.publish_nodes import publish_nodes
from celaje.compute.conductor.swap_volume import complete_swap, swap_volume

FLOWS = [
    create_server,
    delete_server,
    *POWER_FLOWS,
    attach_volume,
    detach_volume,
    extend_volume,
    copy_volume,
    swap_volume,
    complete_swap,
    attach_interface,
    detach_interface,
    publish_nodes,
]
