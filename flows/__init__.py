from flows import prefect_settings

prefect_settings.apply()
