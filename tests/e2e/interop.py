"""An MQTT client that others wrote asks the hub's broker for what the standard asks of a broker.

    interop.py HOST PORT SITE VERSION     (VERSION is 3 or 5)

Prints `ok CHECK` or `failed CHECK: why` for each check, and fails if one failed.
"""

import json
import queue
import sys
import threading
import time
import traceback

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

HOST, PORT, SITE, VERSION = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
PATIENCE = 10


class Peer:
    """A connected client; what it hears is in `heard`."""

    def __init__(self, name, resume=False, will=None):
        protocol = mqtt.MQTTv5 if VERSION == "5" else mqtt.MQTTv311
        clean = {} if VERSION == "5" else {"clean_session": not resume}
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=protocol, **clean)
        self.heard, self.granted, self.connects, self.ends = queue.Queue(), queue.Queue(), queue.Queue(), queue.Queue()
        self.client.on_message = lambda _c, _u, message: self.heard.put(message)
        self.client.on_connect = lambda _c, _u, flags, code, _p: self.connects.put((flags.session_present, code))
        self.client.on_subscribe = lambda _c, _u, _m, codes, _p: self.granted.put(codes)
        self.client.on_disconnect = lambda _c, _u, _f, code, _p: self.ends.put(code)
        if will:
            self.client.will_set(*will, qos=1)
        options = {}
        if VERSION == "5":
            properties = Properties(PacketTypes.CONNECT)
            if resume:
                properties.SessionExpiryInterval = 300
            options = {"clean_start": not resume, "properties": properties}
        self.client.reconnect_delay_set(60, 60)
        self.client.connect(HOST, PORT, keepalive=20, **options)
        self.client.loop_start()
        self.resumed, code = self.connects.get(timeout=PATIENCE)
        assert not code.is_failure, code

    def subscribe(self, topic, qos=1):
        self.client.subscribe(topic, qos)
        return self.granted.get(timeout=PATIENCE)[0]

    def publish(self, topic, payload, qos=1, retain=False):
        text = payload if isinstance(payload, (str, bytes)) else json.dumps(payload)
        self.client.publish(topic, text, qos, retain).wait_for_publish(PATIENCE)

    def hear(self, fits=lambda message: True, patience=PATIENCE):
        deadline = time.monotonic() + patience
        while True:
            message = self.heard.get(timeout=max(0.01, deadline - time.monotonic()))
            if fits(message):
                return message

    def goodbye(self):
        self.client.disconnect()
        self.client.loop_stop()

    def vanish(self):
        """Ends the connection as a power cut does, without a DISCONNECT."""
        self.client.loop_stop()
        self.client.socket().close()


class Agent:
    """The messages of one agent."""

    def __init__(self, name):
        self.name, self.seq = f"{name}-v{VERSION}", 0

    def topic(self, kind):
        return f"lobby/v1/{SITE}/{self.name}/{kind}"

    def birth(self):
        device = {"id": f"led-{self.name}", "kind": "led-display", "every_ms": 10000}
        now = int(time.time() * 1000)
        return {"epoch": 1, "session": 1, "sent_at": now, "agent": {"version": "0"}, "queued": 0, "devices": [device]}

    def data(self):
        self.seq += 1
        now = int(time.time() * 1000)
        record = {"seq": self.seq, "at": now, "device": f"led-{self.name}", "reach": "ok", "facts": {"power": "on", "signal": "ok"}}
        return {"epoch": 1, "session": 1, "sent_at": now, "oldest": 1, "records": [record]}

    def death(self):
        return json.dumps({"epoch": 1, "session": 1, "reason": "lost"})


def committed(number):
    return lambda message: json.loads(message.payload).get("committed") == number


def nothing(peer, patience=1.0):
    try:
        message = peer.heard.get(timeout=patience)
    except queue.Empty:
        return
    raise AssertionError(f"heard {message.topic}: {message.payload!r}")


def quality(qos):
    agent = Agent(f"qos-{qos}")
    peer = Peer(agent.name)
    granted = peer.subscribe(agent.topic("ack"), qos)
    assert not granted.is_failure, granted
    peer.publish(agent.topic("birth"), agent.birth())
    peer.publish(agent.topic("data"), agent.data(), qos)
    message = peer.hear(committed(1))
    # The hub says everything with quality 1; a subscriber gets at most what it asked for.
    assert message.qos == min(qos, 1), message.qos
    peer.goodbye()


def retained():
    peer = Peer(f"reader-v{VERSION}")
    peer.subscribe("lobby/v1/hub")
    message = peer.hear()
    assert message.retain and json.loads(message.payload)["online"] is True, message.payload
    peer.goodbye()


def retained_by_clients_refused():
    agent = Agent("retainer")
    peer = Peer(agent.name)
    peer.publish(agent.topic("data"), agent.data(), retain=True)
    peer.subscribe(f"lobby/v1/{SITE}/{agent.name}/#")
    nothing(peer)
    peer.goodbye()


def will():
    agent = Agent("mortal")
    witness = Peer(f"witness-v{VERSION}")
    witness.subscribe("lobby/v1/+/+/death")
    peer = Peer(agent.name, will=(agent.topic("death"), agent.death()))
    peer.publish(agent.topic("birth"), agent.birth())
    peer.vanish()
    message = witness.hear(lambda message: message.topic == agent.topic("death"))
    assert json.loads(message.payload)["reason"] == "lost" and not message.retain
    witness.goodbye()


def no_will_after_goodbye():
    agent = Agent("polite")
    witness = Peer(f"listener-v{VERSION}")
    witness.subscribe(agent.topic("death"))
    peer = Peer(agent.name, will=(agent.topic("death"), agent.death()))
    peer.goodbye()
    nothing(witness)
    witness.goodbye()


def session_resume():
    agent = Agent("sleeper")
    sleeper = Peer(f"sleeping-v{VERSION}", resume=True)
    assert not sleeper.resumed
    sleeper.subscribe(agent.topic("ack"))
    sleeper.vanish()
    peer = Peer(agent.name)
    peer.subscribe(agent.topic("ack"))
    peer.publish(agent.topic("birth"), agent.birth())
    peer.publish(agent.topic("data"), agent.data())
    peer.hear(committed(1))
    awake = Peer(f"sleeping-v{VERSION}", resume=True)
    assert awake.resumed, "the session of before is there"
    awake.hear(committed(1))
    fresh = Peer(f"sleeping-v{VERSION}")
    assert not fresh.resumed, "a clean start forgets the session"
    for one in (peer, fresh):
        one.goodbye()
    awake.client.loop_stop()


def wildcards():
    agent = Agent("wild")
    peers = [Peer(f"wild-{n}-v{VERSION}") for n in range(3)]
    for peer, topic in zip(peers, ("lobby/v1/+/+/ack", f"lobby/v1/{SITE}/#", f"lobby/v1/{SITE}/{agent.name}/ack")):
        assert not peer.subscribe(topic).is_failure, topic
    stranger = Peer(f"stranger-v{VERSION}")
    assert stranger.subscribe("#").is_failure, "not even on loopback everything is told"
    assert not stranger.subscribe(f"lobby/v1/{SITE}/nobody/ack").is_failure
    sender = Peer(agent.name)
    sender.publish(agent.topic("birth"), agent.birth())
    sender.publish(agent.topic("data"), agent.data())
    own = lambda message: message.topic == agent.topic("ack") and committed(1)(message)
    for peer in peers:
        peer.hear(own)
    nothing(stranger, 0.5)
    for peer in (*peers, stranger, sender):
        peer.goodbye()


def shared_subscription():
    agent = Agent("shared")
    members = [Peer(f"member-{n}-v{VERSION}") for n in range(3)]
    for member in members:
        granted = member.subscribe(f"$share/group/{agent.topic('ack')}")
        assert not granted.is_failure, granted
    sender = Peer(agent.name)
    sender.subscribe(agent.topic("ack"))
    sender.publish(agent.topic("birth"), agent.birth())
    for number in range(1, 31):
        sender.publish(agent.topic("data"), agent.data())
        sender.hear(committed(number))
    time.sleep(0.5)
    heard = [[json.loads(member.heard.get_nowait().payload)["committed"] for _ in range(member.heard.qsize())] for member in members]
    everything = sorted(number for numbers in heard for number in numbers if number > 0)
    assert everything == list(range(1, 31)), f"each goes to one member: {heard}"
    assert all(heard), f"and every member gets some: {heard}"
    for peer in (*members, sender):
        peer.goodbye()


def oversized():
    agent = Agent("bystander")
    bystander = Peer(agent.name)
    bystander.subscribe(agent.topic("ack"))
    bystander.publish(agent.topic("birth"), agent.birth())
    offender = Peer(f"offender-v{VERSION}")
    offender.client.publish(Agent("offender").topic("data"), b" " * 300 * 1024, 1)
    offender.ends.get(timeout=PATIENCE)
    offender.client.loop_stop()
    bystander.publish(agent.topic("data"), agent.data())
    bystander.hear(committed(1))
    bystander.goodbye()


def takeover():
    first = Peer(f"twin-v{VERSION}")
    second = Peer(f"twin-v{VERSION}")
    first.ends.get(timeout=PATIENCE)
    first.client.loop_stop()
    second.subscribe("lobby/v1/hub")
    second.hear()
    second.goodbye()


CHECKS = {
    "qos-0": lambda: quality(0),
    "qos-1": lambda: quality(1),
    "qos-2": lambda: quality(2),
    "retained": retained,
    "retained-by-clients-refused": retained_by_clients_refused,
    "will": will,
    "no-will-after-goodbye": no_will_after_goodbye,
    "session-resume": session_resume,
    "wildcards": wildcards,
    "shared-subscription": shared_subscription,
    "oversized": oversized,
    "takeover": takeover,
}


def main():
    failed = False
    for name, check in CHECKS.items():
        try:
            check()
            print(f"ok {name}", flush=True)
        except Exception:
            failed = True
            print(f"failed {name}: {traceback.format_exc()}", flush=True)
    sys.exit(failed)


main()
