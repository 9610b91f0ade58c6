#!/usr/bin/env python3
"""A mail server for tests, by aiosmtpd (1.4.6).

Prints "ready PORT" when it listens on 127.0.0.1, and each mail that it takes as one line: "mail {json}" with `id`, `to`, `subject` and
`text`. `nobody@…` is never taken (550).

    mail_server.py                        # plain
    mail_server.py starttls CERT KEY      # nothing without STARTTLS and the password "geheim" of lobby
    mail_server.py implicit CERT KEY      # the same with TLS from the beginning

Commands on stdin, one a line; each is answered with "ok":
    later ADDRESS     mails to it are put off (451)
    ok                nobody is put off
"""

import json
import socket
import ssl
import sys
from email import message_from_bytes, policy

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


class Handler:
    def __init__(self):
        self.later = None

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 no such mailbox"
        if address == self.later:
            return "451 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.content, policy=policy.default)
        told = {
            "id": str(mail["Message-ID"]),
            "to": envelope.rcpt_tos,
            "subject": str(mail["Subject"]),
            "text": mail.get_content(),
        }
        print("mail " + json.dumps(told), flush=True)
        return "250 taken"


def known(server, session, envelope, mechanism, data):
    return AuthResult(success=data.login == b"lobby" and data.password == b"geheim")


def main():
    handler, options = Handler(), {}
    if len(sys.argv) > 1:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        options = {"authenticator": known, "auth_required": True}
        if sys.argv[1] == "starttls":
            options |= {"tls_context": context, "require_starttls": True}
        else:
            options |= {"ssl_context": context, "auth_require_tls": False}
    # The controller connects to itself, so it must know its port.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port, ready_timeout=20, **options)
    controller.start()
    print(f"ready {port}", flush=True)
    for line in sys.stdin:
        words = line.split()
        handler.later = words[1] if words[:1] == ["later"] else None
        print("ok", flush=True)
    controller.stop()


main()
