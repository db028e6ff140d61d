"""The opt-out words we come with, by language, and what the product answers by itself: in the customers' words.

Source of the lists: those that carriers and Twilio honour (English), the words of Meta's own opt-out buttons, and the
forms in which people ask for the same. What may also be about an order, an appointment or a contract only asks back.
"""

from typing import NamedTuple

STOP, START, ASK, NOTHING = "stop", "start", "ask", "nothing"

# By language and meaning; commas divide. Accents, case, punctuation and emoji do not matter.
DEFAULTS: dict[str, dict[str, str]] = {
    "en": {
        STOP: "stop, stopall, stop all, unsubscribe, unsubscribe me, cancel, end, quit, opt out, optout, opt me out, "
        "revoke, remove, remove me, stop messages, stop all messages, no more messages, stop messaging me, "
        "stop texting me, stop sending me messages, please stop, stop please, stop promotions, no more promotions, "
        "no more ads, no more advertising, cancel subscription, take me off your list, do not contact me, "
        "don't message me",
        START: "start, unstop, subscribe, resubscribe, opt in, optin",
        ASK: "no more, enough, stop it, cancel it, delete, leave me alone",
    },
    "es": {
        STOP: "baja, darme de baja, baja por favor, por favor baja, cancelar suscripción, cancelar la suscripción, "
        "cancelar mi suscripción, anular suscripción, desuscribir, desuscribirme, desuscribirse, no más mensajes, "
        "no quiero más mensajes, no quiero recibir más mensajes, no quiero recibir mensajes, "
        "no me envíen más mensajes, no me envíes más mensajes, no me manden más mensajes, no enviar más mensajes, "
        "dejen de enviarme mensajes, dejen de escribirme, no me escriban más, no más publicidad, "
        "no quiero publicidad, no quiero más publicidad, no más promociones, no quiero promociones, stop publicidad, "
        "detener promociones, baja publicidad",
        START: "alta, darme de alta, suscribirme, quiero suscribirme, quiero recibir promociones, reanudar promociones",
        ASK: "parar, cancelar, cancela, no más, basta, alto, detener, salir, quitar, eliminar, borrar, anular, "
        "quiero darme de baja, dar de baja, dame de baja, deme de baja, ya no, pare, fin",
    },
    "pt": {
        STOP: "parar, sair, cancelar, descadastrar, descadastre-me, me descadastre, remover, cancelar inscrição, "
        "cancelar assinatura, cancelar mensagens, parar mensagens, não quero mais mensagens, não mais mensagens, "
        "não quero receber mensagens, não quero mais receber mensagens, não me envie mais mensagens, "
        "não envie mais mensagens, parem de enviar mensagens, não quero publicidade, chega de mensagens, "
        "parar promoções, sem publicidade",
        START: "inscrever, inscrever-me, quero me inscrever, quero receber promoções, voltar a receber, "
        "retomar promoções",
        ASK: "chega, basta, pare, não mais, cancele, cancela, anular, apagar, excluir, fim",
    },
    "fr": {
        STOP: "arrêt, stop, désabonner, me désabonner, désabonnez-moi, désabonnement, désinscription, "
        "se désinscrire, me désinscrire, désinscrivez-moi, plus de messages, plus de publicité, plus de pub, "
        "stop pub, stop publicité, stop sms, ne plus recevoir de messages, je ne veux plus recevoir de messages, "
        "je ne veux plus de messages, ne m'envoyez plus de messages, arrêtez de m'envoyer des messages, "
        "arrêter les promotions",
        START: "m'abonner, s'abonner, je m'abonne, me réabonner, reprendre les promotions",
        ASK: "arrêter, arrêtez, annuler, annulez, assez, ça suffit, fin, supprimer, résilier",
    },
    "de": {
        STOP: "stopp, stop, abmelden, abmeldung, abbestellen, austragen, mich abmelden, bitte abmelden, "
        "newsletter abbestellen, keine nachrichten mehr, keine werbung, keine werbung mehr, "
        "ich möchte keine nachrichten mehr, ich moechte keine nachrichten mehr, "
        "ich will keine nachrichten mehr, bitte keine nachrichten mehr, "
        "keine weiteren nachrichten, schickt mir keine nachrichten mehr, werbung stoppen, widerruf, "
        "ich widerrufe meine einwilligung",
        START: "abonnieren, wieder anmelden, ich möchte wieder nachrichten, werbung fortsetzen",
        ASK: "aufhören, aufhoeren, ende, kündigen, kuendigen, abbrechen, genug, stornieren, löschen, reicht",
    },
    "it": {
        STOP: "basta, cancellami, disiscrivimi, disiscrivi, disiscrizione, disiscrivermi, annulla iscrizione, "
        "cancella iscrizione, annullare l'iscrizione, stop, non voglio più messaggi, "
        "non voglio ricevere messaggi, non voglio più ricevere messaggi, niente più messaggi, basta messaggi, "
        "basta pubblicità, niente pubblicità, non inviatemi più messaggi, non mandatemi più messaggi, "
        "smettete di scrivermi, interrompi promozioni",
        START: "iscrivimi, iscrivermi, riattiva, voglio iscrivermi, riprendi promozioni",
        ASK: "annulla, cancella, annullare, cancellare, fermati, ferma, smettila, rimuovi, fine, disdire",
    },
    "ca": {
        STOP: "baixa, donar-me de baixa, dóna'm de baixa, baixa si us plau, cancel·lar subscripció, "
        "cancel·lar la subscripció, no més missatges, no vull més missatges, no vull rebre missatges, "
        "no vull rebre més missatges, no m'envieu més missatges, deixeu d'escriure'm, no més publicitat, "
        "no vull publicitat, prou missatges, prou publicitat, aturar promocions",
        START: "alta, donar-me d'alta, subscriure'm, vull subscriure'm, vull rebre promocions",
        ASK: "aturar, parar, para, cancel·lar, cancel·la, prou, sortir, no més, eliminar, esborrar, atura, "
        "vull donar-me de baixa, anul·lar",
    },
    "eu": {
        STOP: "baja, gelditu, baja eman, baja eman nahi dut, mezu gehiagorik ez, publizitaterik ez, "
        "ez dut mezu gehiago nahi, harpidetza ezeztatu",
        START: "alta, alta eman, harpidetu, harpidetu nahi dut",
        ASK: "utzi, nahikoa, ezeztatu, bertan behera utzi, kendu",
    },
}


class Answers(NamedTuple):
    """What is answered in one language; buttons have at most 20 characters."""

    stopped: str
    started: str
    question: str
    yes: str
    no: str


ANSWERS: dict[str, Answers] = {
    "en": Answers(
        "Done: we will not send you promotions any more. We still answer when you write to us. To get them again, "
        "write START.",
        "Done: you will receive our promotions again. Write STOP whenever you want no more of them.",
        "Do you want us to stop sending you promotions? If it is about something else, somebody from our team will "
        "answer you here.",
        "Stop promotions",
        "No, something else",
    ),
    "es": Answers(
        "Hecho: no te enviaremos más promociones. Seguimos respondiendo cuando nos escribas. Para volver a "
        "recibirlas, escribe ALTA.",
        "Hecho: volverás a recibir nuestras promociones. Escribe BAJA cuando no quieras más.",
        "¿Quieres dejar de recibir nuestras promociones? Si es por otra cosa, alguien del equipo te responderá aquí.",
        "Dejar de recibirlas",
        "No, es otra cosa",
    ),
    "pt": Answers(
        "Pronto: não enviaremos mais promoções. Continuamos respondendo quando você nos escrever. Para voltar a "
        "recebê-las, escreva INSCREVER.",
        "Pronto: você voltará a receber nossas promoções. Escreva PARAR quando não quiser mais.",
        "Quer deixar de receber nossas promoções? Se for outro assunto, alguém da equipe responderá aqui.",
        "Parar promoções",
        "Não, outro assunto",
    ),
    "fr": Answers(
        "C'est fait : nous ne vous enverrons plus de promotions. Nous répondons toujours quand vous nous écrivez. "
        "Pour les recevoir à nouveau, écrivez START.",
        "C'est fait : vous recevrez à nouveau nos promotions. Écrivez STOP quand vous n'en voulez plus.",
        "Voulez-vous ne plus recevoir nos promotions ? S'il s'agit d'autre chose, l'équipe vous répondra ici.",
        "Ne plus recevoir",
        "Non, autre chose",
    ),
    "de": Answers(
        "Erledigt: Sie erhalten keine Werbung mehr von uns. Auf Ihre Nachrichten antworten wir weiterhin. Um sie "
        "wieder zu erhalten, schreiben Sie START.",
        "Erledigt: Sie erhalten unsere Angebote wieder. Schreiben Sie STOPP, wenn Sie keine mehr möchten.",
        "Möchten Sie keine Werbung mehr von uns? Wenn es um etwas anderes geht, antwortet Ihnen hier unser Team.",
        "Keine Werbung mehr",
        "Nein, etwas anderes",
    ),
    "it": Answers(
        "Fatto: non ti invieremo più promozioni. Rispondiamo sempre quando ci scrivi. Per riceverle di nuovo, scrivi "
        "START.",
        "Fatto: riceverai di nuovo le nostre promozioni. Scrivi BASTA quando non ne vuoi più.",
        "Vuoi smettere di ricevere le nostre promozioni? Se riguarda altro, qualcuno del team ti risponderà qui.",
        "Non riceverne più",
        "No, è altro",
    ),
    "ca": Answers(
        "Fet: no t'enviarem més promocions. Continuem responent quan ens escriguis. Per tornar a rebre-les, escriu "
        "ALTA.",
        "Fet: tornaràs a rebre les nostres promocions. Escriu BAIXA quan no en vulguis més.",
        "Vols deixar de rebre les nostres promocions? Si és per una altra cosa, algú de l'equip et respondrà aquí.",
        "Deixar de rebre-les",
        "No, una altra cosa",
    ),
    "eu": Answers(
        "Eginda: ez dizugu promozio gehiagorik bidaliko. Idazten diguzunean erantzuten jarraituko dugu. Berriro "
        "jasotzeko, idatzi ALTA.",
        "Eginda: gure promozioak berriro jasoko dituzu. Idatzi BAJA gehiago nahi ez duzunean.",
        "Gure promozioak jasotzeari utzi nahi diozu? Beste zerbait bada, taldeko norbaitek erantzungo dizu hemen.",
        "Ez jaso gehiago",
        "Ez, beste zerbait da",
    ),
}
