"""What the demo's house knows of its customers, as tables: stages, attributes, profiles, events, consents, segments."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from crm.contacts.models import CustomAttribute

Type = CustomAttribute.Type

STAGES = {"Interesado": 1, "Presupuestado": 2, "Cliente": 6, "En riesgo": 9, "Antiguo cliente": 14}
ATTRIBUTES: dict[str, tuple[str, CustomAttribute.Type, list[str]]] = {
    "poliza": ("Número de póliza", Type.TEXT, []),
    "ramo": ("Ramo", Type.CHOICE, ["Auto", "Hogar", "Comercio", "Viaje", "Vida"]),
    "renovacion": ("Renueva el", Type.DATE, []),
    "siniestros": ("Siniestros en 5 años", Type.NUMBER, []),
    "domiciliado": ("Recibo domiciliado", Type.YES_NO, []),
    "ciudad": ("Ciudad", Type.TEXT, []),
    "nacimiento": ("Fecha de nacimiento", Type.DATE, []),
    "boletin": ("Recibe el boletín", Type.YES_NO, []),
    "horario": ("Prefiere que le llamen", Type.CHOICE, ["Por la mañana", "Por la tarde", "Solo WhatsApp"]),
}


@dataclass(frozen=True)
class Profile:
    """What staff wrote of a person: stage and owner by their short names, columns, attributes, further addresses."""

    stage: str = ""
    owner: str = ""
    columns: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    # Kind, value, label.
    further: tuple[tuple[str, str, str], ...] = ()


def _days(number: int) -> dt.timedelta:
    """A day so many days from now."""
    return dt.timedelta(days=number)


def _policy(number: str, renews: int, **more: Any) -> dict[str, Any]:
    """The attributes of who has a policy."""
    branch = {"AU": "Auto", "HO": "Hogar", "CO": "Comercio", "VI": "Vida"}[number[:2]]
    return {"poliza": number, "ramo": branch, "renovacion": _days(renews)} | more


# By the name in the list.
KNOWN = {
    "Nuria Salas Prieto": Profile(
        "Cliente", "ana", {"email": "nuria.salas@correo.example", "external_id": "C-1042"},
        _policy("AU-20418", 140, siniestros=1, domiciliado=True, ciudad="Madrid", nacimiento="1987-03-14",
                boletin=True, horario="Por la tarde"),
        (("phone", "+34 799 151 001", "Trabajo"), ("email", "n.salas@estudiosalas.example", "Trabajo")),
    ),
    "Óscar Maldonado": Profile(
        "Cliente", "luis", {"email": "oscar.maldonado@correo.example"},
        _policy("AU-31977", 25, siniestros=0, ciudad="Guadalajara", horario="Solo WhatsApp"),
    ),
    "Pilar Montes": Profile(
        "Cliente", "luis", {"email": "pilar.montes@correo.example", "external_id": "C-0877"},
        _policy("HO-11820", 22, domiciliado=True, ciudad="Zaragoza", nacimiento="1961-11-30", boletin=True,
                horario="Por la mañana"),
        (("phone", "+34 799 151 002", "Casa"),),
    ),
    "Elena Echevarría": Profile(
        "Cliente", "marta",
        {"email": "elena@floristeriaechevarria.example", "company": "Floristería Echevarría", "external_id": "C-0213"},
        _policy("CO-70012", 41, siniestros=2, domiciliado=True, ciudad="Bilbao", boletin=True),
        (("phone", "+34 799 151 003", "Tienda"), ("email", "pedidos@floristeriaechevarria.example", "Tienda")),
    ),
    "Amparo Giner": Profile(
        "Cliente", "luis", {}, _policy("HO-12044", 203, domiciliado=False, ciudad="Valencia", boletin=False)
    ),
    "Fermín Ochoa": Profile("En riesgo", "ana", {}, _policy("AU-22051", 12, siniestros=3, ciudad="Logroño")),
    "Rosario Aguilar (Transportes Aguilar)": Profile(
        "Cliente", "ana",
        {"email": "rosario@transportesaguilar.example", "company": "Transportes Aguilar", "external_id": "C-0118"},
        _policy("AU-90003", 30, siniestros=6, domiciliado=True, ciudad="Algeciras", horario="Por la mañana"),
        (("phone", "+34 799 151 004", "Oficina"), ("email", "facturas@transportesaguilar.example", "Facturas")),
    ),
    "Blanca Sotomayor": Profile(
        "Cliente", "marta", {"email": "direccion@hotelsotomayor.example", "company": "Hotel Sotomayor"},
        _policy("CO-70044", 9, siniestros=1, ciudad="Cádiz"),
    ),
    "Susana Arroyo": Profile("En riesgo", "luis", {}, _policy("HO-12310", 64, ciudad="Murcia")),
    "Manuel Cordero": Profile("Cliente", "ana", {"email": "m.cordero@correo.example"}, _policy("AU-25118", 180)),
    "Marcos Peña": Profile("Cliente", "ana", {}, _policy("AU-24470", 96, boletin=True, nacimiento="1979-07-02")),
    "Concha Ibáñez": Profile("Cliente", "ana", {}, _policy("HO-10932", 155, domiciliado=True, ciudad="Teruel")),
    "Francisco Lozano": Profile("Cliente", "ana", {}, _policy("HO-11005", 120, siniestros=1)),
    "Dolores Marín": Profile("Cliente", "ana", {}, _policy("VI-30077", 260, nacimiento="1948-01-19")),
    "Sonia Rivas": Profile("Cliente", "ana", {"company": "Gestoría Rivas"}, _policy("AU-26021", 88, ciudad="Ávila")),
    "Carla Nogueira": Profile("Cliente", "luis", {"language": "pt", "country": "PT"}, _policy("AU-27710", 364)),
    "Ximena Duarte": Profile("Cliente", "luis", {}, _policy("HO-12977", 365, boletin=True)),
    "Petra Lago": Profile("Cliente", "ana", {}, _policy("HO-10400", 18)),
    "Gloria Tejero": Profile("Cliente", "ana", {"email": "gloria.tejero@correo.example"}, _policy("HO-10811", 77)),
    "Lourdes Pineda": Profile("Presupuestado", "luis", {"company": "Peluquería Lourdes"}, {"ramo": "Comercio"}),
    "Rubén Alcázar": Profile("Presupuestado", "luis", {}, {"horario": "Por la tarde"}),
    "~Gema": Profile("Interesado", "luis", {}, {"ramo": "Hogar"}),
    "~Inés 🐾": Profile("Presupuestado", "luis", {}, {"boletin": True}),
    "~Raúl": Profile("Interesado", "luis"),
    "Jordi Ferrer": Profile("Cliente", "ana", {"language": "ca"}, _policy("HO-12200", 131, ciudad="Girona")),
    "~Tom Whitfield": Profile("Cliente", "ana", {"language": "en"}, _policy("HO-12655", 290, ciudad="Altea")),
    "~Claire": Profile("Cliente", "", {"language": "en"}, {"ramo": "Viaje"}),
    "Damián Requena": Profile("Cliente", "marta", {}, _policy("AU-21144", 47, domiciliado=True)),
}  # fmt: skip

# Whom somebody wrote down by hand; they have not written to us. Days ago, by whom. The first two are there twice.
TWICE_BY_PHONE = ("Susana Arroyo Gil", "Susana Arroyo")
BY_HAND: dict[str, tuple[float, str, Profile]] = {
    TWICE_BY_PHONE[0]: (0.04, "luis", Profile("Interesado", "", {}, {"ramo": "Auto"})),
    "Manuel Cordero Ruiz": (64, "ana", Profile("Cliente", "", {"email": "M.Cordero@correo.example"})),
    "Clara Benítez": (
        120, "luis",
        Profile("Antiguo cliente", "luis", {"phone": "+34799152001"}, {"poliza": "AU-18002", "ciudad": "Sevilla"}),
    ),
    "Ramón Iglesias": (
        90, "ana",
        Profile("Cliente", "ana", {"phone": "+34799152002", "email": "ramon.iglesias@correo.example"},
                _policy("HO-09914", 15, ciudad="Lugo", boletin=True, horario="Por la mañana")),
    ),
    "Julia Sanz": (
        75, "marta",
        Profile("Cliente", "marta", {"phone": "+34799152003", "company": "Construcciones Duero"},
                _policy("CO-70101", 35, siniestros=4, ciudad="Zamora")),
    ),
    "Hugo Vidal": (30, "marta", Profile("", "", {"phone": "+34799152004", "kind": "employee", "company": "Perito"})),
}  # fmt: skip
RECOMMENDED = (("~Gema", "Rubén Alcázar", "Lourdes Pineda"), "luis", "La recomienda un cliente")

# Whose timeline, what kind, days ago, title, text, link.
EVENTS = (
    ("Elena Echevarría", "call", 3, "Llamada de 6 minutos", "Pregunta por el aforo; lo confirmará por escrito."),
    ("Elena Echevarría", "visit", 21, "Visita en la tienda", "Fotos del local nuevo para la tasación."),
    ("Elena Echevarría", "email", 2, "Correo: propuesta de renovación", "La propuesta CO-70012, con dos opciones."),
    ("Nuria Salas Prieto", "call", 9, "Llamada perdida", "Devolver la llamada por la tarde."),
    ("Pilar Montes", "email", 4, "Correo: recibo de la póliza de hogar", "Abierto dos veces."),
    ("Blanca Sotomayor", "call", 6, "Llamada de 14 minutos", "Quiere revisar la póliza del hotel con Marta."),
    ("Ramón Iglesias", "visit", 40, "Visita en la oficina", "Trajo la escritura de la vivienda."),
)  # fmt: skip
LINK = "https://alameda.example/centralita/{number}"

WORDING = "Quiero recibir ofertas y novedades de Alameda Seguros por WhatsApp. Puedo darme de baja cuando quiera."
FORM = {"url": "https://alameda.example/alta", "form": "Alta en la web"}
# Who allowed marketing by the web's form, and how many days ago.
BY_FORM = {
    "Nuria Salas Prieto": 210, "Pilar Montes": 340, "Elena Echevarría": 400, "Óscar Maldonado": 75, "Marcos Peña": 95,
    "Concha Ibáñez": 150, "Mireia Costa": 61, "Sonia Rivas": 33, "~Inés 🐾": 12, "~Gema": 8, "Ximena Duarte": 5,
    "Rubén Alcázar": 19, "Amparo Giner": 260, "Ramón Iglesias": 88, "Clara Benítez": 118, "Fátima Reyes": 48,
    "Gloria Tejero": 130, "~Sarah": 14,
}  # fmt: skip
# Purpose, who told whom, how many days ago, and how we know.
BY_STAFF = (
    ("marketing", "granted", "Rosario Aguilar (Transportes Aguilar)", "ana", 55, "Pide por teléfono las ofertas."),
    ("marketing", "granted", "Julia Sanz", "marta", 70, "Firmó la hoja de protección de datos en la oficina."),
    ("marketing", "granted", "Petra Lago", "ana", 11, "Lo dijo al venir por la tarjeta nueva."),
    ("marketing", "withdrawn", "Amparo Giner", "luis", 20, "Ha llamado: no quiere más publicidad."),
    ("marketing", "withdrawn", "Clara Benítez", "luis", 60, "Ya no es cliente y pide que no le escribamos."),
    ("profiling", "granted", "Elena Echevarría", "marta", 90, "Acepta el estudio de riesgos de la tienda."),
    ("profiling", "withdrawn", "Fermín Ochoa", "ana", 2, "No quiere que comparemos sus siniestros."),
)  # fmt: skip
# Who allowed notices of receipts and renewals in the customers' portal, which told us by API.
BY_PORTAL = {"Nuria Salas Prieto": 180, "Pilar Montes": 300, "Damián Requena": 40, "Blanca Sotomayor": 110}
PORTAL = {"form": "Portal de clientes", "text": "Avisos de recibos y renovaciones"}
# Who stopped marketing in WhatsApp's own settings, and who by a word or a button in the chat.
IN_WHATSAPP = ("~Kevin", 0.5)
IN_THE_CHAT = (("~Eloy", "keyword"), ("~Simón", "button"))

ASKED_FOR_A_COPY = ("Gloria Tejero", "marta", 6, "Escribió desde su número y respondió a dos preguntas de su póliza.")

FAIR_DAYS, IMPORTED_DAYS = 40, 5
FAIR_TAG, FAIR_NAME = "Feria del hogar", "feria-del-hogar.csv"
FAIR_SOURCE = "Papeleta de la Feria del Hogar"
# One row updates somebody, one is there twice, one cannot be.
FAIR = """\
Nombre;Teléfono;Correo;Empresa;Etapa;Ciudad;Fecha de nacimiento;Acepta marketing;Fecha del consentimiento
Teodoro Galán;+34 799 153 001;teo.galan@correo.example;;Interesado;Madrid;03/05/1990;sí;{day}
Virginia Cuesta;+34 799 153 002;v.cuesta@correo.example;;Cliente;Toledo;21/12/1975;sí;{day}
Lorenzo Iriarte;+34 799 153 003;;Bodegas Iriarte;Cliente;Haro;;sí;{day}
Maite Arana;+34 799 153 004;maite.arana@correo.example;;Cliente;Vitoria;09/09/1983;sí;{day}
Gonzalo Prado;+34 799 153 005;;;Interesado;Soria;;no;{day}
Encarna Bueno;+34 799 153 006;encarna.bueno@correo.example;Panadería Bueno;Cliente;Cuenca;;;
Samuel Otero;+34 799 153 007;;;Interesado;Burgos;17/02/1996;sí;{day}
Petra Lago;{petra};petra.lago@correo.example;;;Santander;;;
Virginia Cuesta Mora;+34 799 153 002;;;Cliente;Toledo;;;
Adela Rincón;799 15;adela.rincon@correo.example;;Interesado;Huesca;;sí;{day}
"""
UPDATED = "Petra Lago"

# Stages and tags by name; they become keys.
SEGMENTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "Clientes con consentimiento que no escriben desde hace 30 días",
        "Para la próxima campaña: dijeron que sí y hace tiempo que no sabemos de ellos.",
        {"all": [
            {"field": "stage", "op": "any", "value": ["Cliente"]},
            {"field": "consent.marketing", "op": "any", "value": ["granted"]},
            {"any": [{"field": "last_inbound", "op": "older", "value": 30}, {"field": "last_inbound", "op": "empty"}]},
        ]},
    ),
    (
        "Pólizas que renuevan en 45 días",
        "A quién llamar antes de que venza.",
        {"all": [
            {"field": "attribute.renovacion", "op": "next", "value": 45},
            {"field": "consent.utility", "op": "none", "value": ["withdrawn"]},
        ]},
    ),
    (
        "VIP y flotas que esperan respuesta",
        "Lo primero de cada mañana.",
        {"all": [
            {"field": "tags", "op": "any", "value": ["VIP", "Flota"]},
            {"field": "conversation.waiting", "op": "is", "value": True},
        ]},
    ),
    (
        "Clientes a quienes falta pedir el consentimiento",
        "Nunca se les ha preguntado si quieren recibir ofertas.",
        {"all": [
            {"field": "stage", "op": "any", "value": ["Cliente", "En riesgo"]},
            {"field": "consent.marketing", "op": "any", "value": ["unknown"]},
        ]},
    ),
)  # fmt: skip
