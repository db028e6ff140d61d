"""What people write, by language, and what it must mean: to stop, to start again, to ask back, or nothing."""

STOPS = {
    "en": "STOP|stop|Stop.|STOP!!!|“STOP”|stop 🙏|🛑 STOP 🛑|Stop all|stopall|UNSUBSCRIBE|Unsubscribe me|cancel|"
    "Cancel!|END|quit|Opt-out|opt out|optout|Revoke|Remove|remove me|No more messages|please stop|STOP PLEASE|"
    "Don't message me|𝗦𝗧𝗢𝗣|ＳＴＯＰ|stop\u200b|Take me off your list",
    "es": "BAJA|baja|Baja.|¡BAJA!|«Baja»|baja 🙏|“BAJA”|DARME DE BAJA|Darme  de baja|no más mensajes|NO MAS MENSAJES|"
    "No más mensajes!!|Cancelar suscripción|CANCELAR SUSCRIPCION|cancelar mi suscripción|No quiero más mensajes|"
    "no quiero recibir más mensajes|No me envíen más mensajes, |no me escriban más|Baja, por favor|por favor, baja|"
    "No más publicidad|no quiero publicidad 😡|desuscribirme|Desuscribir|STOP|stop.|Stop publicidad|unsubscribe|"
    "dejen de escribirme|baja\n",
    "pt": "PARAR|parar|Parar.|SAIR|Sair!|CANCELAR|cancelar 🙏|DESCADASTRAR|descadastrar|Descadastre-me|Me descadastre|"
    "remover|Cancelar inscrição|cancelar inscricao|Não quero mais mensagens|nao quero mais mensagens|"
    "Não quero receber mensagens|Parem de enviar mensagens|STOP|Sem publicidade|Chega de mensagens!|Parar promoções",
    "fr": "ARRET|Arrêt|ARRÊT !|STOP|stop.|DÉSABONNER|desabonner|Désabonnez-moi|désabonnement|Désinscription|"
    "me désinscrire|Plus de messages|plus de pub !|STOP PUB|Stop SMS|Je ne veux plus recevoir de messages|"
    "Ne m’envoyez plus de messages|ne m'envoyez plus de messages|Arrêtez de m'envoyer des messages|unsubscribe",
    "de": "STOPP|Stopp!|STOP|ABMELDEN|abmelden|Abmelden.|Bitte abmelden|abbestellen|Abmeldung|austragen|"
    "Keine Nachrichten mehr|keine Werbung mehr 😤|Keine Werbung!|Ich möchte keine Nachrichten mehr|"
    "Ich moechte keine Nachrichten mehr|Newsletter abbestellen|Widerruf|unsubscribe",
    "it": "BASTA|basta|Basta!|CANCELLAMI|cancellami|DISISCRIVIMI|Disiscrivimi.|disiscrizione|STOP|"
    "Annulla iscrizione|cancella iscrizione|Non voglio più messaggi|non voglio piu messaggi|Niente più messaggi|"
    "basta pubblicità|Non inviatemi più messaggi|Smettete di scrivermi!|unsubscribe",
    "ca": "BAIXA|baixa|Baixa!|donar-me de baixa|Donar-me de baixa.|dóna'm de baixa|Baixa, si us plau|"
    "Cancel·lar subscripció|No més missatges|no mes missatges|No vull més missatges|No vull rebre més missatges|"
    "no m'envieu més missatges|No m’envieu més missatges|prou publicitat|STOP|stop 🙏|Prou missatges!|unsubscribe",
}
STARTS = {
    "en": "START|start|Start!|UNSTOP|subscribe|Opt in",
    "es": "ALTA|alta|¡Alta!|Darme de alta|START|quiero recibir promociones",
    "pt": "INSCREVER|Inscrever-me|Quero receber promoções|START",
    "fr": "START|m'abonner|Je m’abonne|Me réabonner",
    "de": "START|abonnieren|wieder anmelden",
    "it": "START|Iscrivimi|riattiva",
    "ca": "ALTA|alta!|Donar-me d'alta|START",
}
ASKS = {
    "en": "no more|Enough!|stop it|Cancel it",
    "es": "parar|PARAR|Cancelar|cancelar 🙏|No más|no mas!!|basta|salir|Quiero darme de baja|alto|Eliminar",
    "pt": "chega|Basta!|pare|Cancele",
    "fr": "arrêter|ANNULER|ça suffit|Résilier|fin",
    "de": "aufhören|Ende|kündigen|KÜNDIGEN!|Abbrechen",
    "it": "annulla|Cancella|fermati|Disdire",
    "ca": "parar|Cancel·lar|prou|no més|Sortir|anul·lar",
}
NOTHINGS = {
    "en": "stop by later?|Can I stop by your shop?|Don't stop|non-stop|the bus stop|stop sign|When does the offer end?|"
    "the end of the month|I want to cancel my order|cancel my appointment|Please cancel order 1234|"
    "I can't stop laughing|I quit my job|remove the onions please|weekend|Start at 9?|what is your start time|"
    "hello|👍|🛑|...|",
    "es": "no pares|No pares 🙏|quiero cancelar mi pedido|cancelar mi cita|¿puedo cancelar la reserva?|parada|"
    "¿Dónde está la parada?|la planta baja|planta baja|Estoy de baja médica|baja el precio|Tarifa baja|"
    "temporada baja|¿me dais de baja la línea?|rebaja|trabaja|no más tarde de las 5|hay más?|alta velocidad|"
    "dar de alta el contrato nuevo|la bajada|bajar|Hola|gracias|Sí|No|no|ok|STOP motor|fin de semana|¡para mí!|"
    "para|no quiero más azúcar|basta con dos|salir a las 8|1|¿Y si paro en la tienda?|contigo hasta el final",
    "pt": "não pare|quero cancelar meu pedido|cancelar a consulta|posso sair mais cedo?|sair para jantar|"
    "vou parar aí amanhã|sem parar|Bom dia|obrigado|remover a cebola|parar em frente à loja|chega hoje?|baixa",
    "fr": "l'arrêt de bus|à quel arrêt ?|n'arrêtez pas|je veux annuler ma commande|annuler mon rendez-vous|"
    "stop ou encore|Bonjour|merci|plus de sucre|plus tard|je veux m'abonner au magazine|abonnement|fin du mois",
    "de": "Bushaltestelle|nicht aufhören|Ich möchte meine Bestellung stornieren|Vertrag kündigen|Termin abbrechen|"
    "Wochenende|Ende gut|bitte stopp die Uhr|Anmelden|anmeldung|Hallo|Danke|keine Zwiebeln|keine Ahnung|"
    "ich bin bald da, stopp kurz",
    "it": "basta così, grazie|non basta|mi basta una pizza|basta un poco di zucchero|voglio cancellare il mio ordine|"
    "annulla il mio ordine|cancella la prenotazione|la fermata|Ciao|grazie|abbastanza|fine settimana|cancellato",
    "ca": "no paris|vull cancel·lar la comanda|cancel·lar la cita|planta baixa|la baixa mèdica|estic de baixa|"
    "temporada baixa|la parada del bus|prou bé|Hola|gràcies|no més tard|preu baix|no més de dos",
}
GROUPS = {"stop": STOPS, "start": STARTS, "ask": ASKS, "": NOTHINGS}


def table() -> list[tuple[str, str, str]]:
    """(language, phrase, what it must mean)."""
    return [
        (language, phrase, meaning)
        for meaning, by_language in GROUPS.items()
        for language, phrases in by_language.items()
        for phrase in phrases.split("|")
    ]
