"""What a fit is made from."""

from headrace.calibration.parameters import parameters_of, settings, starts


def fitted_configuration(study):
    """A function of the wildcards: all of the configuration that a fit of the study depends on.

    The values that it moves are at their start, so that a fit does not run again once its result is adopted.
    """

    def value(wildcards):
        # Here, since it brings Polars with it, which every job would load with the Snakefile.
        from headrace.trial import changed

        parameters = parameters_of(config["fit"][study])
        started = changed(config, settings(parameters, starts(parameters)))
        sections = ("seed", "workloads", "hardware", "generators")
        return {section: started[section] for section in sections} | {
            section: {study: started[section][study]}
            for section in ("studies", "calibration", "fit")
        }

    return value


def fitted_perf_models(study):
    """A function of the wildcards: the performance models of the study's hardware."""

    def files(wildcards):
        names = study_hardware(study)
        return [config["hardware"][name]["perf_model"]["file"] for name in names]

    return files


def fitted_sources(study):
    """The digest of what serves a point of a fit, with the policies of the calibration set."""
    every = [policy["policy"] for policy in config["studies"][study]["policies"]]
    policies = set()
    for selector in config["calibration"][study]["calibrated"]:
        named = selector.get("policy", every)
        policies.update([named] if isinstance(named, str) else named)
    modules = [f"headrace.scheduling.policies.{policy}" for policy in sorted(policies)]
    return digest("headrace.calibration.serving", *modules)
