"""What `kathrine doctor` looks at before a night's run: one file a group of checks, each check a plain function that
returns findings."""

from kathrine.doctor.examine import Diagnosis, examine
from kathrine.doctor.findings import Finding

__all__ = ["Diagnosis", "Finding", "examine"]
