"""The channels this installation speaks, by name."""

from conversations.channels.base import Address, Channel, ChannelFactory
from conversations.channels.whatsapp.channel import WhatsAppChannel

WHATSAPP = "whatsapp"

_channels: dict[str, ChannelFactory] = {WHATSAPP: WhatsAppChannel}


def channel_for(name: str, address: Address) -> Channel:
    """The channel `name` speaking for one inbox; raises KeyError for a name nobody registered."""
    return _channels[name](address)
