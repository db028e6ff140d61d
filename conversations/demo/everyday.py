"""The ordinary conversations of a working day: short, in several languages, waiting, answered, closing, resolved."""

from dataclasses import replace

from conversations.demo.script import Person, Story, chat, resolved

HOURS = 60
DAYS = 24 * HOURS

# Who (with the name staff gave them), minutes since the last line, unread, what was said.
Short = tuple[str, str, float, int, str]

ANAS: list[Short] = [
    (
        "Marcos",
        "Marcos Peña",
        12,
        1,
        """
        < Buenas, se me ha roto la luna del coche, ¿lo cubre mi póliza?
        > Hola, Marcos. Sí, lunas sin franquicia. ¿Prefieres taller o que vayan a casa?
        < A casa, si puede ser mañana por la tarde
    """,
    ),
    (
        "Concha",
        "Concha Ibáñez",
        55,
        2,
        """
        < Hola guapa, me ha llegado una carta del banco que el recibo está devuelto
        <[1] ¿Qué hago? No quiero quedarme sin seguro 😟
    """,
    ),
    (
        "Emily",
        "",
        130,
        0,
        """
        < Hi! Do you speak English? I need proof of insurance for my rental in Valencia
        > Of course, Emily. I have just emailed it to you, in English and Spanish.
        < Brilliant, thank you so much!
        > You are welcome. Enjoy Valencia! 🍊
    """,
    ),
    (
        "Paco",
        "Francisco Lozano",
        22 * HOURS + 20,
        1,
        """
        < ¿Ha salido ya la transferencia de la indemnización?
        > Sale mañana a primera hora, Paco.
        <[400] Aún no la veo en la cuenta
    """,
    ),
    (
        "João",
        "",
        70,
        1,
        """
        < Boa tarde, bati com o carro em Badajoz e o seguro é vosso
        > Buenas tardes, João. Puede escribir en portugués sin problema. ¿Tiene el parte amistoso?
        < Tenho sim, mando já a fotografia
    """,
    ),
    (
        "Mireia",
        "Mireia Costa",
        185,
        0,
        """
        < Bona tarda, el pèrit ha de venir avui o demà?
        > Demà a les 10, Mireia. Et trucarà abans.
        < Perfecte, gràcies!
    """,
    ),
    (
        "Andrés",
        "",
        26 * HOURS,
        2,
        """
        < Se ha caído la antena del tejado con el viento y ha dado en el coche del vecino
        < ¿Eso lo cubre mi seguro o el de la comunidad?
    """,
    ),
    (
        "Dolores",
        "Dolores Marín",
        240,
        0,
        """
        < Buenos días, quiero cambiar la cuenta donde me pasan los recibos
        > Buenos días, Dolores. Mándeme una foto de la libreta o el IBAN completo.
        < Se lo mando por la tarde, que tengo la libreta en casa
        >[3] Sin prisa.
    """,
    ),
    (
        "Quique",
        "",
        2 * DAYS,
        0,
        """
        < Llevo dos días sin calefacción
        > El técnico va hoy entre las 16 y las 18 h, Quique.
        <[200] Arreglado, era la válvula
        > ¡Qué bien! Cierro el expediente cuando llegue la factura.
    """,
    ),
    (
        "Sonia",
        "Sonia Rivas",
        95,
        1,
        """
        < ¿Me mandáis el certificado de siniestralidad? Es para el renting
        ! Pedido a la compañía esta mañana, tarda 24 h.
        > Lo he pedido ya, Sonia. Te llega mañana.
        < Mañana antes de las 12, ¿puede ser?
    """,
    ),
]
LUISES: list[Short] = [
    (
        "Gema",
        "",
        17,
        1,
        """
        < Hola! Quería presupuesto para un piso de alquiler, soy la inquilina
        > ¡Hola, Gema! ¿Metros, año de la finca y qué valor tienen tus cosas, más o menos?
        < 62 m², 1978 y unos 12.000 €
    """,
    ),
    (
        "Rubén",
        "Rubén Alcázar",
        44,
        2,
        """
        < Me caso en mayo 🎉 ¿hacéis seguro de cancelación?
        <[2] Son 140 invitados
    """,
    ),
    (
        "Sarah",
        "",
        88,
        0,
        """
        < Hello, how much is third party insurance for a 2016 Fiat Panda?
        > Hello Sarah, around €280 a year if you have held your licence for more than five years.
        < Great, I will think about it
        > Take your time. The quote is valid for 30 days.
    """,
    ),
    (
        "Nacho",
        "Ignacio Beltrán",
        22 * HOURS + 40,
        1,
        """
        < ¿Puedo pagar el seguro del local cada tres meses?
        > Sí, con un recargo del 2 %.
        <[120] Venga, hazlo
    """,
    ),
    (
        "Carla",
        "Carla Nogueira",
        150,
        0,
        """
        < Olá Luis! Já tenho a matrícula nova
        > Perfecto, Carla. Mándamela y emito la póliza.
        < 0000 DEM
        > Emitida. La tienes en tu correo 📩
    """,
    ),
    (
        "Berta",
        "",
        31 * HOURS,
        1,
        """
        < Buenos días, ¿cuánto cuesta asegurar un patinete eléctrico?
    """,
    ),
    (
        "Ximena",
        "Ximena Duarte",
        205,
        0,
        """
        < Ya he firmado el contrato, ¿lo veis?
        > Lo veo, todo correcto. ¡Bienvenida, Ximena!
        < 😍
        > 🙌
    """,
    ),
    (
        "Adrián",
        "",
        61,
        1,
        """
        < En otra web me sale 40 € más barato…
        > Mándame ese presupuesto y comparo coberturas contigo, sin compromiso.
        < Ok, dame un rato
    """,
    ),
    (
        "Lourdes",
        "Lourdes Pineda",
        3 * DAYS,
        0,
        """
        < Necesito seguro de responsabilidad civil para mi peluquería
        > Te preparo dos opciones, Lourdes.
        ! Opción A 190 €, opción B 245 € con daños estéticos.
    """,
    ),
    (
        "Max",
        "",
        110,
        1,
        """
        < Hallo, sprechen Sie Deutsch? Sonst English is fine :)
        > English is fine, Max! What would you like to insure?
        < A camper van, for six months in Spain
    """,
    ),
]
NOBODYS: list[Short] = [
    ("Verónica", "", 4, 1, "< Hola, ¿seguís abiertos? Quiero dar un parte de hogar"),
    (
        "Hugo",
        "",
        29,
        3,
        """
        < Buenas
        <[1] una pregunta
        <[1] si presto el coche a mi hijo de 19, ¿está cubierto?
    """,
    ),
    ("Claire", "", 58, 1, "< Hi, my flight was cancelled and I bought travel insurance with you. What do I do now?"),
    (
        "Manolo",
        "Manuel Cordero",
        5 * HOURS,
        2,
        """
        < No me funciona la aplicación para ver la póliza
        <[30] ¿Hola? 🙄
    """,
    ),
    ("Neus", "", 8 * HOURS, 1, "< Bon dia, vull donar de baixa l'assegurança del mòbil"),
    ("Tiago", "", 22 * HOURS + 50, 1, "< Boa noite, preciso de um orçamento para a minha loja"),
    ("Susana", "Susana Arroyo", 27 * HOURS, 1, "< Me han subido el recibo 90 €, quiero que alguien me lo explique"),
    ("Pepe", "", 40, 1, "< " + "Les reenvío el relato completo del siniestro para que conste. " * 12),
]
MANAGERS: list[Short] = [
    (
        "Blanca",
        "Blanca Sotomayor",
        150,
        1,
        """
        < Marta, ¿podemos ver juntas la póliza del hotel antes de que venza?
        > Claro, Blanca. ¿El miércoles a las 11?
        < El miércoles perfecto
    """,
    ),
    (
        "Damián",
        "Damián Requena",
        2 * DAYS,
        0,
        """
        < Quería felicitaros: Ana me resolvió lo de la luna en una mañana
        > ¡Se lo digo ahora mismo! Gracias, Damián.
    """,
    ),
]
DONE: list[Short] = [
    ("Aurora", "Aurora Mejías", 3 * HOURS, 0, "< ¿A qué hora cerráis?\n> A las 19:00, Aurora.\n< Gracias"),
    ("Kevin", "", 1 * DAYS, 0, "< Is the office open on Saturday?\n> Only online, Kevin.\n< Fine, thanks"),
    ("Fátima", "Fátima Reyes", 2 * DAYS, 0, "< Ya me llegó la tarjeta\n> ¡Estupendo!"),
    ("Gloria", "Gloria Tejero", 6 * DAYS, 0, "< ¿El recibo es mensual?\n> Trimestral, Gloria.\n< Vale"),
    ("Nil", "", 9 * DAYS, 0, "< Ja he pagat el rebut\n> Rebut, gràcies Nil!"),
    ("Petra", "Petra Lago", 12 * DAYS, 0, "< Pintaron la pared y quedó genial\n> ¡Nos alegramos mucho!\n< 😊"),
]  # fmt: skip


def _stories(shorts: list[Short], *, inbox: str = "claims", owner: str = "", team: str = "") -> list[Story]:
    return [
        Story(Person(name, known_as=known_as), chat(text), inbox, owner, team, ago, unread)
        for name, known_as, ago, unread, text in shorts
    ]


def _done(story: Story, owner: str) -> Story:
    return replace(story, owner=owner, lines=[*story.lines, resolved(gap=8)])


EVERYDAY = [
    *_stories(ANAS, owner="ana"),
    *_stories(LUISES, owner="luis", inbox="sales"),
    *_stories(NOBODYS[:4]),
    *_stories(NOBODYS[4:], inbox="sales"),
    *_stories(MANAGERS, owner="marta", team="care"),
    *[_done(story, ("ana", "luis")[index % 2]) for index, story in enumerate(_stories(DONE))],
]
