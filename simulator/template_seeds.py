"""The message templates that every simulated business account starts with."""

from typing import Any

Json = dict[str, Any]

QUALITY_DATE = 1764547200


def _template(name: str, language: str, category: str, body: str, *, sample: list[str], more: Json) -> Json:
    parts: list[Json] = []
    if "header" in more:
        parts.append({"type": "HEADER", "format": "TEXT", "text": more["header"]})
    text: Json = {"type": "BODY", "text": body}
    if sample:
        text["example"] = {"body_text": [sample]}
    parts.append(text)
    if "footer" in more:
        parts.append({"type": "FOOTER", "text": more["footer"]})
    if "replies" in more:
        buttons = [{"type": "QUICK_REPLY", "text": reply} for reply in more["replies"]]
        parts.append({"type": "BUTTONS", "buttons": buttons})
    status = more.get("status", "APPROVED")
    return {
        "name": name,
        "language": language,
        "status": status,
        "category": category,
        "parameter_format": "POSITIONAL",
        "quality_score": {"score": "GREEN" if status == "APPROVED" else "UNKNOWN", "date": QUALITY_DATE},
        "rejected_reason": "NONE",
        "components": parts,
    }


SEEDS: list[Json] = [
    _template(
        "hello_world",
        "en_US",
        "UTILITY",
        "Welcome and congratulations! This message shows that your number can send templates.",
        sample=[],
        more={"header": "Hello World", "footer": "WhatsApp Business Platform sample message"},
    ),
    _template(
        "seguimiento_caso",
        "es",
        "UTILITY",
        "Hola {{1}}, tenemos novedades sobre tu caso {{2}}. ¿Quieres que sigamos por aquí?",
        sample=["Ana", "A-1024"],
        more={"replies": ["Sí, seguimos", "Llámenme"]},
    ),
    _template(
        "seguimiento_caso",
        "en",
        "UTILITY",
        "Hello {{1}}, there is news about your case {{2}}. Shall we go on here?",
        sample=["Ana", "A-1024"],
        more={"replies": ["Yes, go on", "Call me"]},
    ),
    _template(
        "renovacion_poliza",
        "es",
        "MARKETING",
        "Hola {{1}}, tu póliza {{2}} vence el {{3}}. Renuévala antes y conserva tu descuento.",
        sample=["Ana", "P-77", "31 de diciembre"],
        more={"header": "Tu póliza vence pronto", "footer": "Responde BAJA para no recibir promociones"},
    ),
    _template(
        "renovacion_poliza",
        "en",
        "MARKETING",
        "Hello {{1}}, your policy {{2}} ends on {{3}}. Renew it before then and keep your discount.",
        sample=["Ana", "P-77", "31 December"],
        more={"header": "Your policy ends soon", "footer": "Reply STOP to receive no promotions"},
    ),
    _template(
        "recordatorio_cita",
        "es",
        "UTILITY",
        "Hola {{1}}, te esperamos el {{2}} en la oficina. ¿Podrás venir?",
        sample=["Ana", "lunes a las 10:00"],
        more={"replies": ["Allí estaré", "Cambiar la cita"], "status": "PENDING"},
    ),
]
