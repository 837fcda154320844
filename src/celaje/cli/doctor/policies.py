"""Checks of the operator's policy files: whether they are where they are looked for, and can be used."""

from collections.abc import Iterator
from pathlib import Path

from celaje.cli import anatomy
from celaje.cli.doctor.examination import ERROR, WARNING, Examination, Finding


def policies(exam: Examination) -> Iterator[Finding]:
    """Files that are named and not there, and rules that no service can use."""
    from celaje.common.policy import Policy, PolicyError

    yield from _missing(exam)
    for name, conf in exam.confs.items():
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


def _missing(exam: Examination) -> Iterator[Finding]:
    # A line that all services read is one finding.
    missing: dict[tuple[str, Path, str], list[str]] = {}
    for name, conf in exam.confs.items():
        for key in ("policy_file", "policy_dirs"):
            value, origin = conf.origin("oslo_policy", key)
            if origin == "default":
                continue
            for one in [value] if isinstance(value, str) else value:
                path = conf.beside_files(one)
                if not path.exists():
                    missing.setdefault((key, path, origin), []).append(name)
    for (key, path, origin), names in missing.items():
        yield Finding(
            WARNING,
            f"{key} of {', '.join(names)} names {path}, which is not there.",
            origin,
            f"The default rules of the service{'s' if len(names) > 1 else ''} are in force.",
            "Write the file, or take the line out.",
        )
