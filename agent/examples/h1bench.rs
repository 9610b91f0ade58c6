//! bench
use std::time::Instant;
use lobby_agent::spool::*;
use lobby_contract::*;
use rumqttc::v5::{AsyncClient, Event, MqttOptions, mqttbytes::{QoS, v5::Packet}};
fn rec() -> Record { Record { seq: 0, at: 1_763_884_800_000, device: "entrance-led".parse().unwrap(), reach: Reach::Ok,
 facts: [("power","on"),("signal","ok"),("input","hdmi 1"),("lamp","ok")].into_iter().map(|(a,b)|(a.into(),FactValue::from(b))).collect(), faults: vec![] } }
#[tokio::main]
async fn main() {
    let dir = std::path::PathBuf::from(std::env::args().nth(1).unwrap());
    let port: u16 = std::env::args().nth(2).unwrap().parse().unwrap();
    {
        let (spool, work) = SpoolHandle::open(&dir, Limits::of(256<<20), 0).unwrap();
        let mut set = tokio::task::JoinSet::new();
        set.spawn(work);
        let t = Instant::now();
        for _ in 0..500 { spool.append(rec()).await.unwrap(); }
        println!("one by one: {:.0} records/s", 500.0 / t.elapsed().as_secs_f64());
        let t = Instant::now();
        let mut ws = tokio::task::JoinSet::new();
        for _ in 0..64 { let s = spool.clone(); ws.spawn(async move { for _ in 0..1600 { s.append(rec()).await.unwrap(); } }); }
        ws.join_all().await;
        println!("64 writers: {:.0} records/s", 102_400.0 / t.elapsed().as_secs_f64());
        drop(spool);
        set.join_all().await;
    }
    let t = Instant::now();
    { let s = Spool::open(&dir, Limits::of(256<<20), 0).unwrap(); println!("open with {} records: {:?}", s.queued(), t.elapsed()); }
    let text = format!("agent = {{ site = \"demo\", id = \"box\", state_dir = \"{}\" }}\nhub = {{ url = \"mqtt://127.0.0.1:{port}\" }}", dir.display());
    let config = lobby_agent::config::Config::parse(&text, "x").unwrap();
    let mut o = MqttOptions::new("hub", "127.0.0.1", port);
    o.set_connect_properties(rumqttc::v5::mqttbytes::v5::ConnectProperties { max_packet_size: Some(1<<20), ..rumqttc::v5::mqttbytes::v5::ConnectProperties::new() });
    o.set_outgoing_inflight_upper_limit(50);
    let (c, mut e) = AsyncClient::new(o, 100);
    c.subscribe("lobby/v1/+/+/data", QoS::AtLeastOnce).await.unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let mut set = tokio::task::JoinSet::new();
    let (mut n, mut start) = (0usize, None);
    let mut started = false;
    while n < 102_900 {
        match e.poll().await.unwrap() {
            Event::Incoming(Packet::SubAck(_)) if !started => { started = true; set.spawn(lobby_agent::run(config.clone(), stop.clone())); }
            Event::Incoming(Packet::Publish(p)) => {
                start.get_or_insert_with(Instant::now);
                let FromAgent::Data(d) = FromAgent::decode(Channel::Data, &p.payload).unwrap() else { panic!() };
                n += d.records.len();
                let a = Ack { epoch: d.epoch, committed: d.records.last().unwrap().seq };
                c.try_publish("lobby/v1/demo/box/ack", QoS::AtLeastOnce, false, encode(&a)).unwrap();
            }
            _ => {}
        }
    }
    println!("drain: {:.0} records/s", n as f64 / start.unwrap().elapsed().as_secs_f64());
    stop.cancel();
    set.join_next().await;
}
