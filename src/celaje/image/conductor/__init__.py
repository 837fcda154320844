"""The image service's flows. Without messages, its API processes run them; leases decide which of them."""

from celaje.image.conductor.add_location import add_location
from celaje.image.conductor.copy_image import copy_image
from celaje.image.conductor.delete_image import delete_image
from celaje.image.conductor.import_image import import_image
from celaje.image.conductor.task_import import import_by_task
from celaje.image.conductor.upload_image import stage_image, upload_image

FLOWS = [upload_image, stage_image, import_image, copy_image, import_by_task, add_location, delete_image]
