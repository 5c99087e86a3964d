import blocks  # noqa: F401 - found here and now: Prefect's server puts the working folder first later
from flows import prefect_settings

prefect_settings.apply()
