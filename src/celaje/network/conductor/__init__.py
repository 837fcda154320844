"""The flows of the network service, one file each."""

from celaje.network.conductor.bind_port import bind_port
from celaje.network.conductor.sync_network import sync_network
from celaje.network.conductor.sync_router import delete_router, sync_router
from celaje.network.conductor.unbind_port import unbind_port

FLOWS = [bind_port, unbind_port, sync_network, sync_router, delete_router]
