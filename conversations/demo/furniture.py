"""What stands on the demo's desks: tags, pins, snoozes, canned answers, notes, a mention, saved views."""

import datetime as dt
import uuid
from collections.abc import Sequence

from conversations.answers.models import CannedAnswer
from conversations.demo.people import House
from conversations.demo.scene import Scene
from conversations.desk.models import SavedView
from conversations.messaging.models import (
    Conversation,
    ConversationEvent,
    ConversationPin,
    ConversationTag,
    Message,
    ScheduledMessage,
)
from conversations.notices.models import Notice
from crm.contacts.models import ContactNote

# Who has what, by the name in the list.
TAGGED = {
    "Nuria Salas Prieto": ("VIP", "Siniestro"),
    "~Tom Whitfield": ("English", "Siniestro"),
    "Óscar Maldonado": ("Siniestro",),
    "~Inés 🐾": ("Presupuesto", "Nuevo"),
    "~Raúl": ("Presupuesto",),
    "Pilar Montes": ("Renovación",),
    "Elena Echevarría": ("VIP", "Renovación", "Documentación"),
    "Amparo Giner": ("Documentación",),
    "Fermín Ochoa": ("Siniestro", "Documentación"),
}
PRIORITIES = {"Óscar Maldonado": 4, "Nuria Salas Prieto": 3, "Fermín Ochoa": 3, "Pilar Montes": 1}
PINNED = {"ana": ("Elena Echevarría",), "luis": ("Pilar Montes",)}
# Who was put aside, by whom, for how many hours (None: until they write).
SNOOZED: dict[str, tuple[str, float | None]] = {"Ximena Duarte": ("luis", None), "Dolores Marín": ("ana", 17)}
ANSWERS = {
    "hola": ("Saludo", "¡Hola, {{contact.first_name}}! Soy {{agent.name}}, de Alameda Seguros. ¿En qué te ayudo?"),
    "horario": ("Horario", "Atendemos de lunes a viernes de 9:00 a 19:00. Para una grúa, a cualquier hora."),
    "parte": (
        "Datos para un parte",
        "Para abrir el parte necesito:\n• Fecha y lugar\n• Matrículas y nombres\n• Un par de fotos de los daños",
    ),
    "grua": ("Grúa en camino", "La grúa va de camino, {{contact.first_name}}. Quédate en un lugar seguro."),
    "poliza": ("Número de póliza", "Tu número de póliza es {{contact.poliza}}."),
    "recibo": ("Recibo devuelto", "Vuelvo a pasar el recibo sin recargo. Te aviso en cuanto se cobre."),
    "perito": ("Visita del perito", "El perito te llamará en las próximas 24 horas para acordar la visita."),
    "gracias": ("Despedida", "¡Gracias a ti! Si necesitas algo más, escríbenos aquí mismo."),
    "hi": ("Greeting", "Hi {{contact.first_name}}! This is {{agent.name}} from Alameda Seguros. How can I help?"),
}
NOTES = {
    "Nuria Salas Prieto": ("ana", "Prefiere que la llamen por la tarde. Tiene dos coches asegurados."),
    "Elena Echevarría": ("marta", "Cliente desde 2009. Avisar a Marta antes de cualquier subida."),
    "Fermín Ochoa": ("ana", "Cambia mucho de número de cuenta: confirmar antes de pasar recibos."),
}
VIEWS = (
    ("Siniestros urgentes", "luis", "claims", {"view": "all", "priority": "4", "sort": "waiting"}),
    ("Mis presupuestos", "luis", "", {"view": "mine", "tag": "Presupuesto"}),
)
MENTION = ("Elena Echevarría", "marta", "ana", "@{name} cuando la llames, confirma el aforo nuevo del local 🙏")
LATER = ("Amparo Giner", "ana", "Buenos días, Amparo. ¿Pudo mirarlo el fontanero?")
SAME = uuid.UUID(int=20_261_122)
NOTED_AGO = dt.timedelta(minutes=12)


def furnish(scenes: Sequence[Scene], house: House, now: dt.datetime) -> None:
    """Write it all for these scenes, whose conversations have been saved."""
    by_name = {scene.contact.title: scene for scene in scenes}
    _label(by_name, house)
    _put_aside(by_name, house, now)
    _note(by_name, house)
    _equip(by_name, house, now)


def _label(by_name: dict[str, Scene], house: House) -> None:
    ConversationTag.objects.bulk_create(
        ConversationTag(
            conversation=by_name[name].conversation,
            tag=house.tags[tag],
            added_by=house.staff["marta"],
            added_at=by_name[name].times[0],
        )
        for name, tags in TAGGED.items()
        for tag in tags
    )
    ConversationPin.objects.bulk_create(
        ConversationPin(conversation=by_name[name].conversation, user=house.staff[key], pinned_at=by_name[name].now)
        for key, names in PINNED.items()
        for name in names
    )


def _put_aside(by_name: dict[str, Scene], house: House, now: dt.datetime) -> None:
    events, changed = [], []
    for name, priority in PRIORITIES.items():
        conversation = by_name[name].conversation
        conversation.priority = priority
        changed.append(conversation)
    for name, (who, hours) in SNOOZED.items():
        conversation = by_name[name].conversation
        until = now + dt.timedelta(hours=hours) if hours else None
        conversation.status, conversation.snoozed_until = Conversation.Status.SNOOZED, until
        conversation.version += 1
        changed.append(conversation)
        data = {"until": until.isoformat() if until else ""}
        event = ConversationEvent(kind="snoozed", user=house.staff[who], data=data, created_at=now)
        event.conversation = conversation
        events.append(event)
    ConversationEvent.objects.bulk_create(events)
    Conversation.objects.bulk_update(changed, ["priority", "status", "snoozed_until", "version"])


def _note(by_name: dict[str, Scene], house: House) -> None:
    ContactNote.objects.bulk_create(
        ContactNote(
            contact=by_name[name].contact, author=house.staff[who], text=text, created_at=by_name[name].times[-1]
        )
        for name, (who, text) in NOTES.items()
    )


def _equip(by_name: dict[str, Scene], house: House, now: dt.datetime) -> None:
    answers = [
        CannedAnswer(shortcut=shortcut, title=title, body=body, created_by=house.staff["marta"])
        for shortcut, (title, body) in ANSWERS.items()
    ]
    for answer in answers:
        answer.refresh_search_text()
    CannedAnswer.objects.bulk_create(answers)
    for name, owner, team, query in VIEWS:
        tag = query.get("tag")
        spelled = query | ({"tag": str(house.tags[tag].pk)} if tag else {})
        SavedView.objects.create(
            name=name,
            owner=house.staff[owner],
            team=house.teams[team] if team else None,
            query="&".join(f"{key}={value}" for key, value in spelled.items()),
        )
    name, author, told, text = MENTION
    note = Message.objects.create(
        conversation=by_name[name].conversation,
        inbox=by_name[name].inbox,
        client_id=uuid.uuid5(SAME, text),
        direction=Message.Direction.NOTE,
        status=Message.Status.RECEIVED,
        text=text.format(name=house.staff[told].name),
        payload={"mentions": [house.staff[told].name]},
        author_kind=Message.Author.AGENT,
        author=house.staff[author],
        sort_at=now - NOTED_AGO,
        created_at=now - NOTED_AGO,
    )
    Notice.objects.create(
        user=house.staff[told], conversation=note.conversation, message=note, created_at=note.created_at
    )
    name, author, text = LATER
    ScheduledMessage.objects.create(
        conversation=by_name[name].conversation,
        client_id=uuid.uuid5(SAME, text),
        author=house.staff[author],
        text=text,
        send_at=now + dt.timedelta(hours=16),
        unless_answered=True,
    )
