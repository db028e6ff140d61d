"""The demo's house: staff, teams, the WhatsApp account with its two numbers, products and tags; all invented."""

import secrets
from dataclasses import dataclass

from catalog.products.models import Product
from conversations.inboxes.models import AppSecret, Inbox, WhatsAppAccount
from crm.contacts.models import Tag
from crm.foundation import clock
from crm.staff.models import Membership, Role, Team, User

PASSWORD = "demo-password"
# Who signs in with it; the others have no usable password.
ACCOUNTS = ("manager@demo.test", "agent@demo.test", "agent2@demo.test")

TEAMS = {"care": "Atención", "claims": "Siniestros", "sales": "Ventas"}
STAFF = {
    "marta": ("manager@demo.test", "Marta Vidal", Role.MANAGER, ("care", "claims", "sales")),
    "ana": ("agent@demo.test", "Ana Torres", Role.AGENT, ("care", "claims")),
    "luis": ("agent2@demo.test", "Luis Romero", Role.AGENT, ("care", "sales")),
    "iker": ("restricted@demo.test", "Iker Solana", Role.RESTRICTED, ("claims",)),
    "bridge": ("integrator@demo.test", "Programa de gestión", Role.INTEGRATOR, ()),
}
# phone number id, name, number, teams; both agents see both through Atención.
NUMBERS = {
    "claims": ("100000000000001", "Siniestros y atención", "+34 600 000 001", ("care", "claims")),
    "sales": ("100000000000002", "Contratación", "+34 600 000 002", ("care", "sales")),
}
WABA_ID = "100000000000100"
CATALOG_ID = "100000000000200"
PRODUCTS = {
    "asistencia-viaje": ("Asistencia en viaje, 15 días", "34.90"),
    "lunas": ("Cobertura de lunas", "28.50"),
    "mascotas": ("Seguro de mascotas", "96.00"),
    "coche-sustitucion": ("Coche de sustitución", "41.20"),
    "movil": ("Seguro de móvil", "59.90"),
    "bici": ("Responsabilidad civil de bicicleta", "22.00"),
}
# Colour and group.
TAGS = {
    "VIP": (3, "Cliente"), "Flota": (5, "Cliente"), "Moroso": (9, "Cliente"), "Comunidad": (7, "Cliente"),
    "Nuevo": (1, "Cliente"), "English": (11, "Cliente"),
    "Siniestro": (13, "Gestión"), "Presupuesto": (2, "Gestión"), "Renovación": (6, "Gestión"),
    "Documentación": (8, "Gestión"),
    "Feria del hogar": (4, "Origen"), "Recomendado": (12, "Origen"),
}  # fmt: skip


@dataclass(frozen=True)
class House:
    """What the stories refer to, by their short names."""

    account: WhatsAppAccount
    staff: dict[str, User]
    teams: dict[str, Team]
    inboxes: dict[str, Inbox]
    tags: dict[str, Tag]


def found_house() -> House:
    """Create it all; the account's secrets are random, so every installation has its own."""
    teams = {key: Team.objects.create(name=name) for key, name in TEAMS.items()}
    staff = {key: _hire(key, teams) for key in STAFF}
    account = WhatsAppAccount.objects.create(
        name="Correduría Alameda Seguros",
        waba_id=WABA_ID,
        access_token=secrets.token_urlsafe(48),
        webhook_verified_at=clock.now(),
        last_event_at=clock.now(),
    )
    AppSecret.objects.create(account=account, secret=secrets.token_hex(16))
    inboxes = {}
    for key, (phone_number_id, name, number, open_to) in NUMBERS.items():
        inbox = Inbox.objects.create(
            account=account,
            phone_number_id=phone_number_id,
            name=name,
            display_phone_number=number,
            read_receipts=True,  # so that the phone in the box shows blue ticks
        )
        inbox.teams.set(teams[team] for team in open_to)
        inboxes[key] = inbox
    Product.objects.bulk_create(
        Product(retailer_id=key, name=name, price=price, currency="EUR") for key, (name, price) in PRODUCTS.items()
    )
    tags = {name: Tag.objects.create(name=name, colour=colour, group=group) for name, (colour, group) in TAGS.items()}
    return House(account, staff, teams, inboxes, tags)


def _hire(key: str, teams: dict[str, Team]) -> User:
    email, name, role, memberships = STAFF[key]
    password = PASSWORD if email in ACCOUNTS else None
    user = User.objects.create_user(email, password, name=name, role=role, language="es", time_zone="Europe/Madrid")
    Membership.objects.bulk_create(Membership(user=user, team=teams[team]) for team in memberships)
    return user
