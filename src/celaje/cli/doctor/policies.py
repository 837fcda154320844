"""Checks of the operator's policy files: whether they are where they are looked for, and can be used."""

from collections.abc import Iterator

from celaje.cli import anatomy
from celaje.cli.doctor.examination import ERROR, WARNING, Examination, Finding


def policies(exam: Examination) -> Iterator[Finding]:
    """Files that are named and not there, and rules that no service can use."""
    from celaje.common.policy import Policy, PolicyError

    for name, conf in exam.confs.items():
        yield from _missing(name, exam)
        options = conf.oslo_policy
        try:
            Policy(
                anatomy.policy_rules(name),
                path=conf.beside_files(options.policy_file),
                folders=[conf.beside_files(one) for one in options.policy_dirs],
            )
        except PolicyError as error:
            yield Finding(
                ERROR,
                error.message,
                exam.where(name, "oslo_policy", "policy_file"),
                f"The {name} API does not start; one that runs keeps the rules that it has.",
                "Mend the file.",
            )


def _missing(service: str, exam: Examination) -> Iterator[Finding]:
    conf = exam.confs[service]
    for key in ("policy_file", "policy_dirs"):
        value, origin = conf.origin("oslo_policy", key)
        if origin == "default":
            continue
        for one in [value] if isinstance(value, str) else value:
            path = conf.beside_files(one)
            if not path.exists():
                yield Finding(
                    WARNING,
                    f"{key} of {service} names {path}, which is not there.",
                    origin,
                    "The service's default rules are in force.",
                    "Write the file, or take the line out.",
                )
