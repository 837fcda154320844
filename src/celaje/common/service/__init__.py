"""What every service's processes are assembled from: the ground they stand on, their parts, their records.

`<service>/service.py` derives from `Service` and says which API, conductor, scheduler and workers there are;
`celaje/cloud.py` (one process) and `celaje service` (several) start them.
"""

from celaje.common.service.base import Service
from celaje.common.service.conductor import Conductor, ConductorMessages
from celaje.common.service.ground import Ground
from celaje.common.service.records import ServiceRecords, service_table

__all__ = ["Conductor", "ConductorMessages", "Ground", "Service", "ServiceRecords", "service_table"]
