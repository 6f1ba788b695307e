"""Bodies of configs and jobs, composed from specs, Secrets and ConfigMaps, and checks of their contents."""

from .allowed_hosts import AllowedHosts, HostNotAllowed, check_hosts
from .bodies import SecretValues, carries_config, config_body, config_name, job_body, model_name
from .dataset_rows import MAX_DATASET_BYTES, BadRows, DatasetRows, rows_in
from .datasets import Datasets, UnusableDataset, check_size, dataset_refs, with_rows, with_rows_recorded
from .differences import Difference, Differences, differences
from .drift import digest_of, drifted_paths, keeps_secret, leftover_paths, update_body
from .measured import CONFIG_KEY, config_document, measured_config, recorded_config
from .plain_secrets import event_of_plain_secrets, mask_plain_secrets, plain_secrets
from .secret_guard import ALLOW_LABEL, is_released, not_released
from .target_paths import UnusableSpec, UnusableTargetPath
from .tenancy import Tenancy, check_name, check_values
from .unknown_fields import SERVER_WRITTEN, event_of_unknown_fields
from .value_places import check_places

__all__ = [
    "ALLOW_LABEL",
    "CONFIG_KEY",
    "MAX_DATASET_BYTES",
    "SERVER_WRITTEN",
    "AllowedHosts",
    "BadRows",
    "DatasetRows",
    "Datasets",
    "Difference",
    "Differences",
    "HostNotAllowed",
    "SecretValues",
    "Tenancy",
    "UnusableDataset",
    "UnusableSpec",
    "UnusableTargetPath",
    "carries_config",
    "check_hosts",
    "check_name",
    "check_places",
    "check_size",
    "check_values",
    "config_body",
    "config_document",
    "config_name",
    "dataset_refs",
    "differences",
    "digest_of",
    "drifted_paths",
    "event_of_plain_secrets",
    "event_of_unknown_fields",
    "is_released",
    "job_body",
    "keeps_secret",
    "leftover_paths",
    "mask_plain_secrets",
    "measured_config",
    "model_name",
    "not_released",
    "plain_secrets",
    "recorded_config",
    "rows_in",
    "update_body",
    "with_rows",
    "with_rows_recorded",
]
