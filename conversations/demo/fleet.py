"""One very long conversation: months of small matters of a haulage firm, for scrolling."""

import random

from conversations.demo.script import Line, Person, Story, answers, chat, says

# What the firm wants, what we answer, what it says then.
MATTERS = """
    Buenos días, damos de alta la furgoneta {plate} desde hoy.
    Hecho, Rosario. Queda asegurada desde las 00:00.
    Perfecto, gracias.
    ¿Me mandas el certificado de seguro del {plate}? Nos lo piden en el puerto.
    Te lo acabo de mandar por correo.
    Recibido 👍
    El {plate} ha rozado una columna en el muelle. Sin terceros.
    Abro el parte: expediente {number}. ¿Puede circular?
    Sí, es solo chapa.
    Baja del {plate} a fin de mes, lo vendemos.
    Anotado. Te extorno la parte no consumida.
    Genial.
    ¿Está pagado el recibo del {plate}?
    Sí, se cobró el día 5.
    Vale, pues es error de mi contable 😅
    Cristal roto en el {plate}, un picotazo en la A-4.
    Lunas cubiertas sin franquicia. Pide cita con el número {number}.
    ¡Qué rapidez!
    Cambio de conductor habitual en el {plate}.
    Mándame fecha del carné y lo cambio.
    Carné de 2009.
    El {plate} se ha quedado tirado cerca de Bailén.
    Grúa en camino, unos 40 minutos. Expediente {number}.
    Ya ha llegado, gracias.
    ¿Cubre la póliza del {plate} viajes a Portugal?
    Sí, toda la Unión Europea y asistencia incluida.
    Estupendo.
    ¿Cuándo pasa el perito a ver el {plate}?
    El jueves por la mañana, te llamará antes.
    Le esperamos.
    Necesito el historial de siniestros del {plate}.
    Dos en cinco años. Te mando el documento firmado.
    Gracias, Ana.
    El taller pide autorización para el {plate}.
    Autorizado hasta 1.200 €. Referencia {number}.
    Se lo digo.
"""
END = """
    <[900] Ana, ¿cómo va la renovación de toda la flota? Vence el día 30.
    >[18] La tengo casi cerrada: baja un 4 % si agrupamos los 14 vehículos en una sola póliza.
    <[6] Eso suena muy bien. ¿Me pasas el detalle por vehículo?
    >[25] Esta tarde te mando la hoja con los 14.
    <[70] Perfecto. Y apunta que el del remolque nuevo entra en diciembre.
"""


def fleet(rng: random.Random) -> Story:
    """More than 400 messages between the firm and its agent."""
    rows = [row.strip() for row in MATTERS.strip().splitlines()]
    lines: list[Line] = []
    for matter in range(138):
        first = matter * 3 % len(rows)
        question, answer, thanks = rows[first : first + 3]
        letters = "".join(rng.choice("BCDFGHJKLMNPRSTVWXYZ") for _ in range(3))
        words = {"plate": f"0{rng.randint(0, 999):03} {letters}", "number": f"SN-{rng.randint(10_000, 99_999)}"}
        lines += [
            says(question.format(**words), gap=rng.uniform(300, 2600)),
            answers(answer.format(**words), gap=rng.uniform(2, 40)),
            says(thanks, gap=rng.uniform(1, 25)),
        ]
    person = Person("Rosario", known_as="Rosario Aguilar (Transportes Aguilar)", tags=("Flota", "VIP"))
    return Story(person, [*lines, *chat(END)], owner="ana", team="care", ago=52, unread=1)
