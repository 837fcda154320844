"""What the cloud writes down of itself, read back: the services' journals of requests and flows as stories.

`celaje flow`, `celaje why` and `celaje logs` draw it; it changes nothing, and needs no cloud to run.
"""

from celaje.journals.node import Node
from celaje.journals.sources import Journals, configured, of_state
from celaje.journals.story import Storyteller

__all__ = ["Journals", "Node", "Storyteller", "configured", "of_state"]
