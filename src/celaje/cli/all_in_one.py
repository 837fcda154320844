"""The cloud of `celaje up`: started, seeded, described in clouds.yaml, announced, and ended."""

import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from celaje import __version__
from celaje.cli import drivers
from celaje.cli.state import StateDirectory
from celaje.cli.worker import write_record
from celaje.cloud import Cloud
from celaje.common.vault import write_secret
from celaje.seeds import Seeds

log = logging.getLogger(__name__)


class AllInOne:
    def __init__(self, settings: dict[str, Any]):
        self._settings = settings
        self._began = time.monotonic()
        self._directory = StateDirectory(Path(settings["state"]))
        address = settings["address"]
        shown = "127.0.0.1" if address in ("0.0.0.0", "::") else address
        self._url = f"http://{f'[{shown}]' if ':' in shown else shown}:{settings['port']}"
        self._choice = drivers.choose(settings["drivers"], settings["hosts"], self._directory.path)
        self._cloud = Cloud(
            self._directory.path,
            url=self._url,
            files=[Path(path) for path in settings["files"]],
            dirs=[Path(path) for path in settings["dirs"]],
            overrides=self._overrides(),
            defaults=self._choice.defaults,
        )

    @property
    def application(self) -> Any:
        return self._cloud.application

    def start(self) -> None:
        self._begin_log()
        self._unknown = self._cloud.unknown_keys()
        self._cloud.start()
        Seeds(self._cloud).sow()
        self._write_clouds_yaml()
        write_record(
            self._directory.record,
            {
                "pid": os.getpid(),
                "url": self._url,
                "version": __version__,
                # For `celaje config` and `doctor`, which read what this cloud reads.
                "config_files": self._settings["files"],
                "config_dirs": self._settings["dirs"],
            },
        )
        self._welcome()

    def stop(self) -> None:
        """No new requests come any more; running steps end, or are left to be resumed at the next start."""
        rest = "" if self._settings["ephemeral"] else ", the rest is resumed at the next start"
        click.echo(f"\nStopping: running steps end{rest}.")
        from celaje.common import log as logs

        self._cloud.stop(grace=10.0)
        log.info("stopped")
        logs.flush()

    def _overrides(self) -> dict[str, dict[tuple[str | None, str], Any]]:
        overrides = {name: dict(values) for name, values in self._choice.overrides.items()}
        compute = overrides.setdefault("compute", {})
        compute[None, "stop_guests_on_exit"] = self._settings["guests"] == "stop"
        compute[None, "resume_guests_state_on_host_boot"] = True
        for name in ("identity", "placement", "image", "network", "volume", "compute"):
            mine = overrides.setdefault(name, {})
            if self._settings["strict_config"]:
                mine[None, "strict_config"] = True
            if self._settings["debug"]:
                mine[None, "debug"] = True
        return overrides

    def _begin_log(self) -> None:
        from celaje.common import log as logs

        conf = self._cloud.configuration("identity")
        # What `celaje logs` reads: bounded, since nobody looks after the log of a cloud on a laptop.
        for name, value in (
            ("log_dir", str(self._directory.path)),
            ("log_file", "celaje.log"),
            ("log_rotation_type", "size"),
            ("max_logfile_size_mb", 10),
            ("max_logfile_count", 4),
        ):
            conf.set(None, name, value)
        logs.setup(conf, also=sys.stderr if self._settings["debug"] else None)

    def _write_clouds_yaml(self) -> None:
        clouds = {
            name: {
                "auth": {
                    "auth_url": f"{self._url}/identity/v3",
                    "username": user,
                    "password": self._cloud.secrets.password(user),
                    "project_name": project,
                    "user_domain_id": "default",
                    "project_domain_id": "default",
                },
                "region_name": "RegionOne",
                "identity_api_version": "3",
            }
            for name, user, project in (("celaje", "admin", "admin"), ("celaje-demo", "demo", "demo"))
        }
        text = "clouds:\n" + "".join(_yaml(clouds, "  "))
        write_secret(self._directory.clouds_yaml, text.encode())

    def _welcome(self) -> None:
        took = time.monotonic() - self._began
        bold, dim = (lambda text: click.style(text, bold=True)), (lambda text: click.style(text, dim=True))
        lines = ["", f"  {bold('Celaje')} {__version__} is up {dim(f'({took:.1f} s)')}  {self._url}", ""]
        lines += [f"  {dim(f'{name:10}')}{self._url}/{name}" for name in self._cloud.running]
        lines += ["", *(f"  {dim(f'{what:10}')}{why}" for what, why in self._choice.lines)]
        lines += [f"  {dim('state     ')}{self._directory.path}"]
        if self._unknown:
            lines += ["", *(click.style(f"  {warning}", fg="yellow") for warning in self._unknown)]
        if shutil.which("openstack") is None:
            lines += ["", "  There is no `openstack` command here: pip install python-openstackclient"]
        lines += [
            "",
            "  In another terminal:",
            "",
            f"    export OS_CLIENT_CONFIG_FILE={self._directory.clouds_yaml}",
            "    export OS_CLOUD=celaje",
            "",
            "  then, for a first look:",
            "",
            "    openstack catalog list",
            "    openstack volume create --size 1 v1",
            "    openstack flavor list",
            "",
            f"  {dim(self._ending())}",
            "",
        ]
        click.echo("\n".join(lines))

    def _ending(self) -> str:
        if self._settings["ephemeral"]:
            return "Ctrl-C stops it and removes it."
        return "Ctrl-C stops it; starting again brings the same cloud back."


def _yaml(mapping: dict[str, Any], indent: str) -> Iterator[str]:
    """Nested mappings of strings: too little to load a YAML library for at each start."""
    for key, value in mapping.items():
        if isinstance(value, dict):
            yield f"{indent}{key}:\n"
            yield from _yaml(value, indent + "  ")
        else:
            # A JSON string is a YAML string.
            yield f"{indent}{key}: {json.dumps(value)}\n"
