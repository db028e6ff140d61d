"""The agents' inbox in the browser: pages, fragments and the socket."""
