"""An agent by somebody else: knows the contract by its golden files only, and is as clumsy as the contract allows.

    foreign_agent.py FIXTURES HOST PORT SITE

Reports a display that goes dark. Every message is sent twice, on eight connections, in random order. Prints one line of JSON:
{"records": …, "acked": …}, once the hub has acknowledged the last record; stays silent and fails after 30 s without that.
"""

import json
import pathlib
import queue
import random
import sys
import threading
import time

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.packettypes import PacketTypes

CONNECTIONS = 8
RECORDS = 40


def golden(folder, name):
    return json.loads((pathlib.Path(folder) / name).read_text(encoding="utf-8"))


def connect(host, port, name, agent, will):
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5)
    client.will_set(f"{agent}/death", json.dumps(will), qos=1)
    ready = threading.Event()
    client.on_connect = lambda *_: ready.set()
    properties = Properties(PacketTypes.CONNECT)
    client.connect(host, port, keepalive=20, clean_start=True, properties=properties)
    client.loop_start()
    if not ready.wait(10):
        sys.exit(f"{name}: no CONNACK within 10 s")
    return client


def main(folder, host, port, site):
    agent = f"lobby/v1/{site}/foreign-box"
    birth, data, death = (golden(folder, f"{name}.json") for name in ("birth", "data", "death"))
    now = int(time.time() * 1000)
    epoch, session = birth["epoch"], birth["session"]
    birth["sent_at"] = now

    example = next(record for record in data["records"] if record["device"] == "entrance-led")
    messages = []
    for seq in range(1, RECORDS + 1):
        at = now - (RECORDS - seq) * 10
        record = example | {"seq": seq, "at": at, "facts": example["facts"] | {"power": "standby"}}
        messages.append(data | {"epoch": epoch, "session": session, "sent_at": now, "oldest": 1, "records": [record]})

    acks = queue.Queue()
    clients = [connect(host, int(port), f"foreign-{n}", agent, death) for n in range(CONNECTIONS)]
    listener = clients[0]
    listener.on_message = lambda _client, _data, message: acks.put(json.loads(message.payload))
    subscribed = threading.Event()
    listener.on_subscribe = lambda *_: subscribed.set()
    listener.subscribe(f"{agent}/ack", qos=1)
    if not subscribed.wait(10):
        sys.exit("no SUBACK within 10 s")
    for client in clients[:2]:
        client.publish(f"{agent}/birth", json.dumps(birth), qos=1).wait_for_publish(10)

    deliveries = messages * 2
    random.Random(7).shuffle(deliveries)
    sent = [clients[n % CONNECTIONS].publish(f"{agent}/data", json.dumps(message), qos=1) for n, message in enumerate(deliveries)]
    for message in sent:
        message.wait_for_publish(10)

    acked, deadline = 0, time.monotonic() + 30
    while acked < RECORDS:
        try:
            ack = acks.get(timeout=max(0.01, deadline - time.monotonic()))
        except queue.Empty:
            sys.exit(f"acknowledged up to {acked} of {RECORDS}")
        if ack["epoch"] == epoch:
            acked = max(acked, ack["committed"])
    print(json.dumps({"records": RECORDS, "acked": acked}), flush=True)
    # It stays connected until it is told to go, so that the display is seen dark by a living agent.
    sys.stdin.readline()
    for client in clients:
        client.disconnect()
        client.loop_stop()


main(*sys.argv[1:])
