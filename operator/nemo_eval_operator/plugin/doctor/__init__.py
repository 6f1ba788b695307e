"""`kubectl nemoeval doctor`: whether this cluster, its operator and this user fit together.

`findings` is what a check results in, `judging` judges what was read and is pure, `checks` reads.
"""

from .checks import examine
from .findings import Finding, Level, finding_lines

__all__ = ["Finding", "Level", "examine", "finding_lines"]
