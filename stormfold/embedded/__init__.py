"""The embedded servers: a broker and a store for one machine, with nothing to install and nothing left behind."""
