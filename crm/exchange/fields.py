"""What the columns of a file can be: the fields of a contact that come in, how a header is understood, and what has to
be said before a file is read.
"""

import datetime as dt
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.consent.models import Purpose
from crm.contacts import reading
from crm.contacts.attributes import InvalidValue
from crm.contacts.models import CustomAttribute, Tag
from crm.exchange import tables
from crm.foundation import clock
from crm.foundation.errors import Refusal
from crm.foundation.search import fold
from crm.foundation.text import clean_text

ATTRIBUTE = "attributes."
CONSENT = "consent."
CONSENT_SOURCE, CONSENT_AT = "consent_source", "consent_at"
EXISTING = ("update", "fill", "skip")
DATES = ("dmy", "mdy")
SOURCE_MAX = 200
TAGS_MAX = 30
# Owner, accounts, restrictions and rights are nobody's to set by a file.
OWN = {
    "name": gettext_lazy("Name"),
    "phone": gettext_lazy("Phone"),
    "email": gettext_lazy("E-mail"),
    "external_id": gettext_lazy("External id"),
    "company": gettext_lazy("Company"),
    "kind": gettext_lazy("Kind"),
    "language": gettext_lazy("Language"),
    "country": gettext_lazy("Country"),
    "time_zone": gettext_lazy("Time zone"),
    "stage": gettext_lazy("Lifecycle stage"),
    "tags": gettext_lazy("Tags"),
}
KNOWN_BY = ("name", "phone", "email", "external_id")
# How people head such columns, folded.
_HEADERS = {
    "name": "nombre|nombre completo|nombre y apellidos|full name|contact|contacto|cliente|customer|nom|nome",
    "phone": "telefono|telefono movil|movil|celular|numero|numero de telefono|phone number|mobile|tel|whatsapp|"
    "telefone|telephone|portable",
    "email": "e mail|correo|correo electronico|mail|email address",
    "external_id": "id externo|id cliente|customer id|crm id",
    "company": "empresa|compania|organizacion|organization|organisation",
    "kind": "tipo",
    "language": "idioma|lengua|lang",
    "country": "pais",
    "time_zone": "zona horaria|timezone",
    "stage": "etapa|fase|ciclo de vida|lifecycle",
    "tags": "etiquetas|etiqueta|tag|labels",
    "consent.marketing": "marketing|consentimiento|consentimiento de marketing|acepta marketing|opt in|optin|"
    "marketing consent",
    CONSENT_SOURCE: "origen del consentimiento|fuente del consentimiento|consent origin",
    CONSENT_AT: "fecha del consentimiento|fecha de consentimiento|consent date",
}
_WORD = re.compile(r"[^a-z0-9]+")
_DAY = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})")


class BadMapping(Refusal):
    """What is said of a file cannot be; `problems` has a sentence by column number, or by the name of an option."""

    code = "bad_mapping"
    http_status = 422

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(next(iter(problems.values())), problems=problems)
        self.problems = problems


def labels() -> dict[str, str]:
    """Every field a column can be, with what it is called in the active language; one query."""
    found = {name: str(label) for name, label in OWN.items()}
    found |= {f"{ATTRIBUTE}{one.key}": one.label for one in CustomAttribute.objects.all()}
    found |= {f"{CONSENT}{value}": _("Consent: %(purpose)s") % {"purpose": label} for value, label in Purpose.choices}
    return found | {CONSENT_SOURCE: _("Where the consent comes from"), CONSENT_AT: _("When it was given")}


def guess(headers: Sequence[str]) -> dict[str, str]:
    """Which field each column most likely is, by its number."""
    by_word = {bare(name): name for name in (*OWN, CONSENT_SOURCE, CONSENT_AT)}
    by_word |= {bare(f"{CONSENT}{value}"): f"{CONSENT}{value}" for value in Purpose.values}
    for name, words in _HEADERS.items():
        by_word |= {bare(word): name for word in words.split("|")}
    for one in CustomAttribute.objects.all():
        own = f"{ATTRIBUTE}{one.key}"
        by_word |= {bare(own): own} | {word: own for word in (bare(one.key), bare(one.label)) if word not in by_word}
    found: dict[str, str] = {}
    for number, header in enumerate(headers):
        name = by_word.get(bare(header), "")
        if name and name not in found.values():
            found[str(number)] = name
    return found


def digest_of(headers: Sequence[str]) -> str:
    """By which files with these headers are known again."""
    return hashlib.sha256("\n".join(map(bare, headers)).encode()).hexdigest()


def checked_mapping(raw: Any, headers: Sequence[str]) -> dict[str, str]:
    """A mapping of column numbers to fields; raises BadMapping."""
    if not isinstance(raw, Mapping):
        raise BadMapping({"mapping": _("Say for each column, by its number from 0, which field it is.")})
    known, problems, found = labels(), {}, dict[str, str]()
    for key, name in sorted((str(key), str(name or "")) for key, name in raw.items()):
        if not name:
            continue
        if not is_column(key, headers):
            problems[key[:10]] = _("The file has no such column.")
        elif name not in known:
            problems[key] = _("There is no field “%(name)s” that could be imported.") % {"name": name[:50]}
        elif name in found.values():
            problems[key] = _("Another column is already “%(name)s”.") % {"name": known[name]}
        else:
            found[key] = name
    if not problems and not set(KNOWN_BY) & set(found.values()):
        problems["mapping"] = _("Choose the column of the name, the phone, the e-mail or the external id.")
    if problems:
        raise BadMapping(problems)
    return found


def is_column(key: str, headers: Sequence[str]) -> bool:
    """Whether it is the number of one of these columns."""
    return key.isascii() and key.isdigit() and len(key) < 4 and int(key) < len(headers)


def checked_options(raw: Any, layout: Mapping[str, Any], mapping: Mapping[str, str] | None = None) -> dict[str, Any]:
    """How a file is to be read and what goes for all of its rows: what `raw` says, the rest as `layout` has it; with a
    `mapping` also whether consents can be told. Raises BadMapping.
    """
    raw = raw if isinstance(raw, Mapping) else {}
    problems: dict[str, str] = {}
    found = {name: layout.get(name, "") for name in ("format", "encoding", "delimiter", "sheet", "sheets")}
    offered = {
        "encoding": tables.ENCODINGS, "delimiter": tables.DELIMITERS, "sheet": layout.get("sheets", []),
        "existing": EXISTING, "dates": DATES,
    }  # fmt: skip
    found |= {"existing": layout.get("existing") or EXISTING[0], "dates": layout.get("dates") or DATES[0]}
    for name, choices in offered.items():
        value = raw.get(name)
        if value and value in choices:
            found[name] = value
        elif value and (name in ("existing", "dates") or found["format"] == ("xlsx" if name == "sheet" else "csv")):
            problems[name] = _("Choose one of what is offered.")
    found |= _own_options({name: raw.get(name, layout.get(name)) for name in (*_OPTIONS,)}, problems)
    if mapping is not None and not problems:
        _check_consents(found, mapping, problems)
    if problems:
        raise BadMapping(problems)
    return found


_OPTIONS = ("country", "tags", CONSENT_SOURCE, CONSENT_AT)


def _own_options(raw: Mapping[str, Any], problems: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    try:
        found["country"] = reading.country(str(raw["country"] or "").strip())
    except InvalidValue as error:
        problems["country"] = str(error)
    tags = raw["tags"] if isinstance(raw["tags"], list | tuple) else []
    keys = {int(one) for one in tags if str(one).isascii() and str(one).isdigit() and len(str(one)) < 19}
    found["tags"] = sorted(Tag.objects.filter(pk__in=keys).values_list("pk", flat=True))
    if len(found["tags"]) < len(tags) or len(tags) > TAGS_MAX:
        problems["tags"] = _("Choose tags that are still there, %(most)d at most.") % {"most": TAGS_MAX}
    found[CONSENT_SOURCE] = " ".join(clean_text(str(raw[CONSENT_SOURCE] or "")).split())[:SOURCE_MAX]
    said = clean_text(str(raw[CONSENT_AT] or "")).strip()
    found[CONSENT_AT] = said
    if said and moment(said, "") is None:
        problems[CONSENT_AT] = _("Write a day of the past, such as 2026-05-31.")
    return found


def _check_consents(options: Mapping[str, Any], mapping: Mapping[str, str], problems: dict[str, str]) -> None:
    """Nobody has consented without its being known where and when."""
    fields = set(mapping.values())
    if not any(name.startswith(CONSENT) for name in fields):
        return
    for name, sentence in (
        (CONSENT_SOURCE, _("Say where the consents come from: choose a column, or write it for all rows.")),
        (CONSENT_AT, _("Say when the consents were given: choose a column, or write a day for all rows.")),
    ):
        if name not in fields and not options[name]:
            problems[name] = sentence


def day(text: str, order: str) -> str:
    """A date as offices write it, as ISO text; anything else as it is."""
    match = _DAY.fullmatch(text)
    if match is None or order not in DATES:
        return text
    first, second, year = (int(part) for part in match.groups())
    month, of_month = (second, first) if order == "dmy" else (first, second)
    return f"{year:04}-{month:02}-{of_month:02}"


def moment(text: str, order: str) -> dt.datetime | None:
    """A day or a moment of the past, aware; a bare day is its beginning in UTC. None for anything else."""
    try:
        found = dt.datetime.fromisoformat(day(text, order))
    except ValueError:
        return None
    found = found if found.tzinfo else found.replace(tzinfo=dt.UTC)
    return found if found.year >= 1970 and found <= clock.now() else None


def bare(text: str) -> str:
    """Letters and digits only, folded: by which headers are compared."""
    return _WORD.sub(" ", fold(text)).strip()
