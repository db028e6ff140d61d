"""The conversations that between them show every kind and state of message; the ordinary ones are in everyday.py."""

from typing import Any

from conversations.demo.people import CATALOG_ID
from conversations.demo.script import (
    RULE,
    Person,
    Story,
    answers,
    assigned,
    calls,
    chat,
    edits,
    gives,
    likes,
    notes,
    number_changed,
    phones,
    picks,
    reacts,
    resolved,
    revokes,
    says,
    sends,
    sends_file,
)
from conversations.messaging.optouts import KEEP_BUTTON, STOP_BUTTON
from crm.consent.words import ANSWERS

HOURS = 60
DAYS = 24 * HOURS


def card(name: str, phone: str, company: str, email: str = "") -> dict[str, Any]:
    """A contact card in WhatsApp's shape."""
    parts: dict[str, Any] = {"name": {"formatted_name": name, "first_name": name.split()[0]}}
    parts |= {"phones": [{"phone": phone, "type": "WORK"}], "org": {"company": company}}
    return parts | ({"emails": [{"email": email, "type": "WORK"}]} if email else {})


CLAUSE = (
    "*Daños por agua*: resumen de lo que cubre tu póliza\n\n"
    "1. Rotura de tuberías, grifos y desagües: _incluida_.\n"
    "2. Localización y reparación de la avería: hasta 1.500 €.\n"
    "3. Daños a vecinos: por responsabilidad civil, hasta 300.000 €.\n"
    "4. Filtraciones por falta de mantenimiento: ~incluidas~ *excluidas*.\n\n"
    "Referencia: `HOG-2291-A`. El texto completo está en https://alameda.example/condiciones/hogar?version=7 "
    "y si algo no se entiende, pregúntame sin problema: prefiero aclararlo hoy que el día del siniestro. 🙂"
)
COMPLAINT = (
    "Buenas tardes. Les escribo porque llevo tres semanas esperando una respuesta sobre la reparación del suelo del "
    "salón. El perito vino el día 3, hizo fotos y me dijo que en una semana tendría noticias. Después llamé dos veces "
    "y me dijeron que el expediente estaba «en trámite». Entiendo que hay procesos, pero tengo el parqué levantado, "
    "a mi madre con andador en casa y la habitación sin poder usarse. Les pido, por favor, una fecha concreta o al "
    "menos el nombre de la persona que lo lleva. Adjunto de nuevo el informe por si se hubiera perdido por el camino."
)
CRASH = [
    says("Hola, acabo de tener un golpe 😰 Salían marcha atrás de un garaje y no me han visto", label="crash"),
    answers("Hola, Nuria. Lo primero: ¿estáis bien todos?"),
    says("Sí sí, solo chapa. Gracias por preguntar 🙏", label="fine"),
    likes("❤️", "fine"),
    answers("Menos mal. Mándame fotos del coche y el parte amistoso, y dime dónde estás.", label="ask"),
    sends_file("image", "car.jpg", "La aleta y el faro, como se ve", label="photo"),
    sends("location", {"latitude": 40.4531, "longitude": -3.6883, "name": "Calle del Olmo, 12", "address": "Madrid"}),
    sends_file("document", "report.pdf", filename="parte-amistoso.pdf", also={"context": {"forwarded": True}}),
    sends_file("voice", "voice.ogg"),
    notes("Póliza a todo riesgo con franquicia de 150 €. El contrario es de Mutua Ejemplo, culpa clara."),
    answers("Lo tengo todo. Con la foto basta para abrir el expediente: *SN-48213*.", quotes="photo"),
    says("¿Y puedo llevarlo ya al taller?", quotes="ask"),
    says("Es que mañana lo necesito para trabajar", gap=1),
]
LEAK = [
    says("Good morning. There is water coming through my bathroom ceiling."),
    sends_file("image", "ceiling.jpg", "It started last night", label="ceiling"),
    answers("Good morning, Mr Whitfield. I have opened claim SN-48190; a plumber will call you within the hour."),
    sends_file("voice", "voice.ogg", gap=95, label="plumber"),
    answers("Approved: he may start right away.", quotes="plumber", label="approved"),
    reacts("👍", "approved"),
    sends_file("video", "video.mp4", "By the way, this also happened to my parked car…", gap=40),
]
ROADSIDE = [
    calls(),
    says("Os he llamado y no lo cogéis. Estoy parado en la A-2 con el motor echando humo", gap=1),
    sends("location", {"latitude": 40.6321, "longitude": -3.1665}, gap=1),
    answers("Estoy contigo, Óscar. Ponte el chaleco y sal del coche por la derecha. Te mando la grúa ya."),
    gives("contacts", payload={"contacts": [card("Grúas Henares (24 h)", "+34 799 000 111", "Grúas Henares")]}),
    gives(
        "location",
        payload={"latitude": 40.6299, "longitude": -3.1712, "name": "Área de servicio", "address": "A-2, km 55"},
    ),
    calls(205, gap=12),
    says("Ya está aquí la grúa. ¡Gracias!", gap=31, label="truck"),
    likes("🎉", "truck"),
    sends("contacts", [card("Taller Hermanos Peña", "+34 799 000 222", "Taller Peña", "taller@pena.example")]),
    says("Este es mi taller, que lo lleven ahí"),
]
CART = [
    says(
        "Hola, ¿este seguro cubre también a un perro de 9 años?",
        also={"context": {"referred_product": {"catalog_id": CATALOG_ID, "product_retailer_id": "mascotas"}}},
    ),
    answers("Hola, Inés. Sí, hasta los 10 años se puede contratar."),
    picks("list_reply", {"id": "pets-2", "title": "Perro mediano", "description": "De 10 a 25 kg"}),
    answers("Entonces son 96 € al año. Puedes añadir lo que quieras desde el catálogo."),
    sends(
        "order",
        {
            "catalog_id": CATALOG_ID,
            "text": "Si se puede pagar en dos veces, mejor",
            "product_items": [
                {"product_retailer_id": "mascotas", "quantity": 1, "item_price": 96, "currency": "EUR"},
                {"product_retailer_id": "asistencia-viaje", "quantity": 2, "item_price": 34.9, "currency": "EUR"},
                {"product_retailer_id": "descatalogado", "quantity": 1, "item_price": 12.5, "currency": "EUR"},
            ],
        },
    ),
]
AD = {
    "source_url": "https://alameda.example/anuncios/hogar",
    "source_id": "120000000000001",
    "source_type": "ad",
    "headline": "Tu casa, desde 14 € al mes",
    "body": "Presupuesto por WhatsApp en diez minutos.",
    "media_type": "image",
    "ctwa_clid": "demo-click",
}
RENEWAL = [
    gives(
        "template",
        text="Hola, Pilar. Tu póliza de auto vence el día 28. ¿Quieres que revisemos el precio?",
        payload={"name": "aviso_renovacion", "language": "es"},
        author="bridge",
        label="renewal",
    ),
    sends("button", {"text": "Sí, revisadlo", "payload": "review"}, quotes="renewal", gap=50),
    answers("¡Hola! Rellena este formulario y te paso la mejor oferta hoy mismo."),
    picks("nfm_reply", {"name": "flow", "body": "Sent", "response_json": '{"km":"8000","garaje":"si"}'}),
    picks("button_reply", {"id": "yes", "title": "Que me llamen por la tarde"}),
    picks("call_permission_reply", {"response": "accept", "response_source": "user_action"}),
]
STRANGE = [
    sends("request_welcome", {}),
    says("Buenas, os paso la votación de los vecinos"),
    sends("poll", {"name": "¿Cambiamos de seguro?", "options": ["Sí", "No"]}),
    sends(
        "unsupported",
        {"type": "event"},
        also={"errors": [{"code": 131051, "title": "Message type unknown"}]},
    ),
    sends("ephemeral", {"type": "view_once"}),
    sends("system", {"type": "customer_identity_changed", "body": "Sergio changed security code"}),
    says("¿Os ha llegado todo?", quotes="?"),
]
TROUBLES = [
    says("¿Me confirmáis si el cambio de cuenta ya está hecho?"),
    answers("Hecho: el próximo recibo irá a la cuenta terminada en 0042.", label="done"),
    says("No me llegó nada 🤔 ¿me lo podéis repetir?", gap=20),
    answers("Se lo repito: el cambio está hecho.", tick="failed", error="131026 Message Undeliverable."),
    answers("El próximo recibo irá a la cuenta terminada en 0042.", tick="unknown"),
    answers("Perdona, este mensaje era para otra persona", tick="cancelled"),
    notes("Si tampoco llega este, llamarle al fijo."),
    answers("¿Te llega este mensaje?", tick="sent"),
    answers("Te llamo en cinco minutos.", tick="accepted"),
]
FILES = [
    says("Te mando las facturas de la reparación"),
    sends_file("document", "quote.pdf", filename="factura-electricista.pdf", state="expired"),
    sends_file("image", "car.jpg", "El enchufe quemado", state="failed"),
    answers("La primera ya no se puede abrir, ¿me la mandas otra vez?"),
    sends_file("document", "quote.pdf", filename="factura-electricista (2).pdf", state="pending"),
    sends_file("audio", "audio.mp3"),
]
SECOND_THOUGHTS = [
    says("Quiero dar de baja la póliza del piso de mi madre", label="cancel"),
    edits("Quiero cambiar la póliza del piso de mi madre a mi nombre", "cancel", gap=2),
    says("mi DNI es 00000000T", label="secret"),
    revokes("secret", gap=1),
    answers("Sin problema, Teresa. Para el cambio de titular necesito la escritura o el recibo del IBI.", label="need"),
    reacts("🙏", "need"),
    says("Reenvío lo que me pasó mi hermana:"),
    says(
        "IMPORTANTE: a partir de enero TODOS los seguros suben un 40 %, pásalo 😱",
        also={"context": {"frequently_forwarded": True}},
    ),
    sends_file("sticker", "sticker.webp"),
]
NEIGHBOUR, PRESIDENT = Person("Maribel 3ºB", "34799190001"), Person("Julián (presidente)", "34799190002")
GROUP = [
    says("Buenos días a todos, ha vuelto a gotear el garaje", by=NEIGHBOUR),
    says("Ya he avisado a la correduría, a ver si vienen hoy", by=PRESIDENT),
    sends_file("image", "ceiling.jpg", "Así está el techo del trastero", by=NEIGHBOUR),
    says("🙏🙏", by=PRESIDENT),
]
OLD = [
    says("Buenas, quería saber si tengo cubierto el robo en el trastero"),
    phones("Hola, Gregorio. Sí, hasta 600 €.", tick="READ"),
    sends("media_placeholder", {}),
    phones("Perfecto, con esa factura lo tramito.", tick="DELIVERED"),
    says("Gracias, majo"),
]
CARD_TEXT = "Tu tarjeta de asistencia. Guárdala en el móvil 📲"
VIP = [
    says(COMPLAINT),
    sends_file("document", "report.pdf", filename="informe-perito.pdf"),
    assigned("marta", by="ana", gap=9),
    answers("Señora Echevarría, soy Marta Vidal, responsable de la oficina. Tiene razón y le pido disculpas.", gap=5),
    phones("Le he dejado también un mensaje en el contestador. El carpintero va el lunes a las 9:00.", gap=30),
    says("Muchas gracias, Marta. Así da gusto.", gap=12, label="thanks"),
    likes("🙂", "thanks"),
    gives("image", file="card.jpg", text=CARD_TEXT, filename="tarjeta.jpg", label="card"),
    reacts("👏", "card"),
    gives("audio", file="audio.mp3", filename="aviso.mp3", tick="played"),
    says("Una cosa más: ¿el suelo nuevo queda asegurado desde ya?", gap=44),
]
ASKED = ANSWERS["es"]
STOPPED = [answers(ASKED.stopped, author=RULE, gap=0.1), resolved(gap=8)]
ENOUGH = [
    *chat("< ¿Hacéis seguros para drones?\n> De momento no, Simón."),
    says("Parar", gap=30),
    gives(
        "buttons",
        text=ASKED.question,
        payload={"buttons": [{"id": STOP_BUTTON, "title": ASKED.yes}, {"id": KEEP_BUTTON, "title": ASKED.no}]},
        author=RULE,
        gap=0.1,
    ),
    picks("button_reply", {"id": STOP_BUTTON, "title": ASKED.yes}),
    *STOPPED,
]

STORIES = [
    Story(Person("Nuria", known_as="Nuria Salas Prieto", tags=("VIP",)), CRASH, owner="ana", ago=6, unread=2),
    Story(
        Person("Tom Whitfield", "447700900142", tags=("English",)), LEAK, owner="ana", team="claims", ago=14, unread=1
    ),
    Story(Person("Óscar M.", known_as="Óscar Maldonado"), ROADSIDE, owner="luis", ago=25, unread=2),
    Story(Person("Inés 🐾"), CART, inbox="sales", owner="luis", team="sales", ago=9, unread=1),
    Story(
        Person("Raúl"),
        [says("Hola, vi el anuncio. ¿Cuánto sería un piso de 70 m²?", also={"referral": AD})],
        inbox="sales",
        ago=3,
        unread=1,
    ),
    Story(Person("Pilar", known_as="Pilar Montes"), RENEWAL, inbox="sales", owner="luis", ago=33, unread=1),
    Story(Person("Sergio"), STRANGE, ago=48, unread=5),
    Story(Person("Fermín", known_as="Fermín Ochoa"), TROUBLES, owner="ana", ago=1),
    Story(Person("Lidia Cano"), FILES, owner="luis", ago=75, unread=2),
    Story(Person("Teresa", known_as="Teresa Bravo"), SECOND_THOUGHTS, owner="ana", ago=41, unread=3),
    Story(
        Person("Comunidad Calle del Olmo 12", tags=("Comunidad",)),
        GROUP,
        team="care",
        ago=120,
        unread=4,
        group_id="120363000000000001@g.us",
    ),
    Story(Person("Gregorio"), OLD, ago=46 * DAYS, is_history=True),
    Story(Person("Elena", known_as="Elena Echevarría", tags=("VIP",)), VIP, owner="ana", ago=18),
    Story(
        Person("Jordi", "34799180002", known_as="Jordi Ferrer"),
        [
            *chat("""
                < Bon dia, us escric pel rebut de la llar, que me l'han retornat
                > Bon dia, Jordi. El torno a passar demà, sense recàrrec.
            """),
            number_changed("34799180001", gap=26 * HOURS),
            says("Hola, soc en Jordi, he canviat de número. Ja està cobrat el rebut?", gap=2),
        ],
        owner="ana",
        ago=36,
        unread=1,
    ),
    Story(
        Person("", user_id="ES.1020304050607080", username="lucia.viaja"),
        chat("< Hola! Necesito un seguro de viaje para Japón, 3 semanas ✈️\n<[1] Salgo el viernes"),
        inbox="sales",
        ago=21,
        unread=2,
    ),
    Story(
        Person("", "34799180003"),
        [phones("Buenas tardes, soy de Alameda Seguros: nos dejó este número para llamarle por su comunidad.")],
        ago=190,
    ),
    Story(
        Person("Amparo", known_as="Amparo Giner"),
        [
            *chat("< ¿Qué cubre exactamente el seguro si se rompe una tubería?"),
            answers(CLAUSE, label="clause"),
            reacts("❤️", "clause"),
            *chat("<[50] Clarísimo, gracias. ¿Y si la avería es del vecino de arriba?"),
        ],
        owner="luis",
        ago=22 * HOURS + 25,
        unread=1,
    ),
    Story(
        Person("Iván"),
        [
            *chat("< Me han robado la bici del portal\n> Vaya, Iván. ¿Has puesto denuncia?\n<[30] Sí, aquí está"),
            sends_file("document", "report.pdf", filename="denuncia.pdf", gap=1),
            resolved(gap=200),
            *chat("<[900] Hola otra vez, ¿se sabe ya algo de la indemnización?"),
        ],
        owner="iker",
        team="claims",
        ago=64,
        unread=1,
    ),
    Story(
        Person("Rosa Mª"),
        [
            *chat("< Buenas, ¿me podéis mandar el presupuesto de hogar?"),
            gives("document", file="quote.pdf", text="Aquí lo tienes, Rosa.", filename="presupuesto-hogar.pdf"),
            *chat("<[20] Gracias, lo miro con mi marido\n>[3] Perfecto, cualquier duda me dices."),
            answers("¿Pudiste mirarlo?", gap=26 * HOURS, tick="failed", error="131047 Re-engagement message"),
            notes("Ventana cerrada: esperar a que escriba."),
        ],
        inbox="sales",
        owner="luis",
        ago=300,
    ),
    Story(
        Person("Eloy"),
        [*chat("< Número equivocado, perdón\n> No pasa nada.\n< BAJA"), *STOPPED],
        owner="luis",
        ago=4 * DAYS,
    ),
    Story(Person("Simón"), ENOUGH, owner="luis", ago=20 * DAYS),
]
