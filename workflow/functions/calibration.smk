"""What a fit is made from."""

from headrace.calibration.parameters import parameters_of, settings, starts
from headrace.files import sha256


def fitted_from(study):
    """A function of the wildcards: a digest of all of the configuration that a fit of the study depends on.

    The values that it moves are at their start, so that a fit is not made again once its result is adopted.
    """

    def value(wildcards):
        # Here, since it brings Polars with it, which every job would load with the Snakefile.
        from headrace.trial import changed

        parameters = parameters_of(config["fit"][study])
        started = changed(config, settings(parameters, starts(parameters)))
        hardware = fitted_names(study, "hardware", study_hardware(study))
        return sha256(
            {
                "hardware": {name: started["hardware"][name] for name in hardware},
                **{key: started[key] for key in ("seed", "workloads", "generators")},
                **{
                    key: config[key][study] for key in ("studies", "calibration", "fit")
                },
            }
        )

    return value


def fitted_perf_models(study):
    """A function of the wildcards: the performance models of the hardware in the calibration set."""

    def files(wildcards):
        names = fitted_names(study, "hardware", study_hardware(study))
        return [config["hardware"][name]["perf_model"]["file"] for name in names]

    return files


def fitted_sources(study):
    """The digest of what serves a point of a fit, with the policies of the calibration set."""
    every = [policy["policy"] for policy in config["studies"][study]["policies"]]
    policies = fitted_names(study, "policy", every)
    return digest(
        "headrace.calibration.serving",
        *(f"headrace.scheduling.policies.{policy}" for policy in policies),
    )


def fitted_names(study, column, every):
    """What the calibration set names in a column of the scorecard; a selector without it takes `every`."""
    names = set()
    for selector in config["calibration"][study]["calibrated"]:
        named = selector.get(column, every)
        names.update([named] if isinstance(named, str) else named)
    return sorted(names)
