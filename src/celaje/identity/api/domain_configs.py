"""A domain's own configuration (`/v3/domains/{id}/config`), by group and by option, and its defaults."""

from typing import Any

import msgspec
from sqlalchemy import delete as delete_from
from sqlalchemy import insert, select

from celaje.common.db import Transaction, fetch_all
from celaje.common.wsgi import Request, Response
from celaje.identity import domain_options
from celaje.identity.db import projects
from celaje.identity.db.tables import DOMAIN_CONFIGS
from celaje.identity.domain_options import Options, check_names, is_sensitive, refused
from celaje.identity.errors import DomainConfigNotFound

Row = dict[str, Any]

BODY = {
    "type": "object",
    "properties": {"config": {"type": "object"}},
    "required": ["config"],
}
_C = DOMAIN_CONFIGS.c
# Everybody may know what a password has to look like.
_PUBLIC = ("password_regex", "password_regex_description")


def _read(request: Request, tx: Transaction, domain_id: str) -> Options:
    """All options, the secret ones too."""
    found: Options = {}
    for row in fetch_all(tx, select(DOMAIN_CONFIGS).where(_C.domain_id == domain_id)):
        value = request.service.vault.unseal(row["value"].encode())
        if value is not None:
            found.setdefault(row["group"], {})[row["option"]] = msgspec.json.decode(value)
    return found


def _write(request: Request, tx: Transaction, domain_id: str, config: Options) -> None:
    for group, options in config.items():
        for option, value in options.items():
            sealed = request.service.vault.seal(msgspec.json.encode(value).decode()).decode()
            _forget(tx, domain_id, group, option)
            tx.execute(
                insert(DOMAIN_CONFIGS).values(domain_id=domain_id, group=group, option=option, value=sealed)
            )


def _forget(tx: Transaction, domain_id: str, group: str | None = None, option: str | None = None) -> None:
    where = [_C.domain_id == domain_id]
    if group is not None:
        where.append(_C.group == group)
    if option is not None:
        where.append(_C.option == option)
    tx.execute(delete_from(DOMAIN_CONFIGS).where(*where))


def _shown(config: Options) -> Options:
    open_ones = {
        group: {name: value for name, value in options.items() if not is_sensitive(group, name)}
        for group, options in config.items()
    }
    return {group: options for group, options in open_ones.items() if options}


def _part(config: Options, domain_id: str, group: str | None, option: str | None) -> Row:
    """The whole, a group, or an option as `{name: value}`. Raises DomainConfigNotFound."""
    if group is None:
        if not config:
            raise DomainConfigNotFound(what=f"any options in domain configuration for domain {domain_id}")
        return config
    options = config.get(group)
    if options is None:
        raise DomainConfigNotFound(what=f"group {group} in domain configuration for domain {domain_id}")
    if option is None:
        return {group: options}
    if option not in options:
        raise DomainConfigNotFound(
            what=f"option {option} in group {group} in domain configuration for domain {domain_id}"
        )
    return {option: options[option]}


def show(request: Request, domain_id: str, group: str | None = None, option: str | None = None) -> Row:
    if group == "security_compliance":
        return {"config": _security(request, domain_id, option)}
    request.authorize({})

    def query(tx: Transaction) -> Row:
        projects.get_domain(tx, domain_id)
        check_names(group, option)
        return _part(_shown(_read(request, tx, domain_id)), domain_id, group, option)

    return {"config": request.service.database.read(query)}


def _security(request: Request, domain_id: str, option: str | None) -> Row:
    """What the whole cloud asks of passwords; the default domain's only."""
    request.authorize({}, rule="identity:get_security_compliance_domain_config")
    request.service.database.read(projects.get_domain, domain_id)
    conf = request.service.conf
    if domain_id != conf.identity.default_domain_id:
        raise refused(
            "Reading security compliance information for any domain other than the default domain is not "
            "allowed or supported"
        )
    values = {name: getattr(conf.security_compliance, name) for name in _PUBLIC}
    if option is None:
        return {"security_compliance": values}
    if option not in values:
        raise refused(f"Reading security compliance values other than {' and '.join(_PUBLIC)} is not allowed")
    return {option: values[option]}


def create(request: Request, domain_id: str) -> Response:
    """Takes the place of what was there; 201 where nothing was."""
    config = request.body["config"]

    def unit(tx: Transaction) -> tuple[Options, bool]:
        projects.get_domain(tx, domain_id)
        domain_options.check(config)
        known = _read(request, tx, domain_id)
        _forget(tx, domain_id)
        _write(request, tx, domain_id, config)
        return _shown(config), bool(known)

    made, known = request.service.database.write(unit)
    return Response({"config": made}, status=200 if known else 201)


def update(request: Request, domain_id: str, group: str | None = None, option: str | None = None) -> Row:
    """Merges; a path that names a group or an option changes exactly that."""
    given = request.body["config"]
    config = {group: given} if group is not None and option is not None else given

    def unit(tx: Transaction) -> Options:
        projects.get_domain(tx, domain_id)
        domain_options.check(config)
        check_names(group, option)
        known = _read(request, tx, domain_id)
        if group is not None:
            if list(config) != [group]:
                raise refused(
                    f"Trying to update group {group}, so that, and only that, group must be specified in "
                    "the config"
                )
            if option is not None and list(config[group]) != [option]:
                raise refused(
                    f"Trying to update option {option} in group {group}, so that, and only that, option "
                    "must be specified in the config"
                )
            _part(known, domain_id, group, option)
        _write(request, tx, domain_id, config)
        return _shown(_read(request, tx, domain_id))

    return {"config": request.service.database.write(unit)}


def delete(request: Request, domain_id: str, group: str | None = None, option: str | None = None) -> None:
    def unit(tx: Transaction) -> None:
        projects.get_domain(tx, domain_id)
        check_names(group, option)
        if group is not None:
            _part(_read(request, tx, domain_id), domain_id, group, option)
        _forget(tx, domain_id, group, option)

    request.service.database.write(unit)


def show_defaults(request: Request, group: str | None = None, option: str | None = None) -> Row:
    check_names(group, option)
    defaults = domain_options.DEFAULTS
    if group is None:
        return {"config": defaults}
    if option is None:
        return {"config": {group: defaults[group]}}
    if option not in defaults[group]:
        raise refused(f"Reading the default for option {option} in group {group} is not supported")
    return {"config": {option: defaults[group][option]}}
