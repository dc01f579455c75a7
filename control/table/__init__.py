"""The tables that gateways hold: what is in them, how they change, who watches them."""
